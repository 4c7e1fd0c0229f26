/**
 * Time of a training step against PyTorch's: the same network and batch, in turn in the same run. PyTorch computes in its
 * faster layout (channels_last), with its faster allocator, on batches that lie ready; ours draws and augments its own
 * meanwhile, as it does in a real training.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { readPreprocess } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { readChecked } from '@espalier/compression/inspect';
import { median } from '@espalier/compression/recipe/latency';
import { Session } from '@espalier/compression/runtime/session';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import { train } from '@espalier/compression/train/train';
import { specs } from '../models-list.ts';
import { linesOf } from '../program.ts';
import { type Bench, rounded, SEED } from './row.ts';
import { cifarSpec } from './subject.ts';

const ROUNDS = 3;
/** PyTorch's fastest allocator on a processor, with the settings that it takes. */
const JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2';
const ALLOCATOR = {
  ...(existsSync(JEMALLOC) && { LD_PRELOAD: JEMALLOC }),
  MALLOC_CONF: 'dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0,thp:always',
};

/** The peer's own step, on its networks: arguments are data, model, batch, side of the image and steps. */
const THEIR_STEP = `
import json, statistics, sys, time, torch, torchvision, torch_models
data, model, batch, side, steps = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(2)
net = torchvision.models.mobilenet_v2() if model == 'mobilenetv2' else torch_models.load_resnet(data, model)
net = net.to(memory_format=torch.channels_last).train()
x = torch.randn(batch, 3, side, side).to(memory_format=torch.channels_last)
y = torch.randint(0, 10, (batch,))
opt = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4, nesterov=True)
times = []
for _ in range(steps):
    start = time.perf_counter()
    opt.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    opt.step()
    times.append(1000 * (time.perf_counter() - start))
print(json.dumps({'ms': statistics.median(times[steps // 4:])}))
`;

interface Step {
  readonly id: string;
  readonly model: string;
  /** The peer's name of it. */
  readonly theirs: string;
  readonly side: number;
  readonly batch: number;
  readonly workers: number;
  /** Batches of an epoch. */
  readonly steps: number;
  readonly data: (data: string, samples: number) => string;
}

const resnet20 = {
  ...{ model: 'cifar10-resnet20', theirs: 'resnet20', side: 32, data: cifarSpec },
};
const STEPS: readonly Step[] = [
  { id: 'step-resnet20', ...resnet20, batch: 128, workers: 2, steps: 40 },
  { id: 'step-resnet20-one', ...resnet20, batch: 64, workers: 1, steps: 80 },
  {
    ...{ id: 'step-mobilenetv2', model: 'mobilenetv2-1.0-224', theirs: 'mobilenetv2', side: 224 },
    ...{ batch: 8, workers: 2, steps: 25, data: (data: string) => specs(data).nips17.calibrate },
  },
];

/** Milliseconds a step of the second epoch; the first also warms up. */
async function ourMs(folder: string, { model, batch, workers, steps, data }: Step): Promise<number> {
  const file = path.join(folder, 'models', `${model}.onnx`);
  const session = await Session.open(file, model);
  const [input] = session.inputs;
  await session.dispose();
  const optimizer = { rate: 1e-4, weightDecay: 5e-4 };
  const recipe = { stages: [{ epochs: 2, batch, optimizer, augment: { flip: true, shift: 4 } }] };
  const { history } = await train(await readChecked(file), {
    ...{ data: await openDataset(data(folder, batch * steps)), input: input!, seed: SEED, workers },
    preprocess: await readPreprocess(path.join(folder, 'preprocess', `${model}.json`)),
    ...{ recipe: TrainRecipe.parse(recipe), teacher: null },
  });
  return (1000 * history.at(-1)!.seconds) / steps;
}

async function theirMs(folder: string, venv: string, { theirs, batch, side, steps }: Step): Promise<number> {
  const scripts = path.join(folder, '..', 'peers', 'compression');
  const args = ['-c', THEIR_STEP, folder, theirs, ...[batch, side, steps].map(String)];
  const found = await linesOf(path.join(venv, 'bin', 'python'), args, {
    ...{ env: { ...ALLOCATOR, PYTHONPATH: scripts }, log: 'ignore' },
  });
  return Number(found.at(-1)!.ms);
}

const bench = (step: Step): Bench => ({
  id: step.id,
  async measure(data, peers) {
    if (!peers) return [];
    const times: { ours: number; theirs: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      times.push({ ours: await ourMs(data, step), theirs: await theirMs(data, peers, step) });
    }
    const told = times.map(({ ours, theirs }) => `${rounded(ours)} against ${rounded(theirs)} ms`).join(', ');
    return [
      {
        ...{
          id: step.id,
          value: rounded(median(times.map(({ ours, theirs }) => ours / theirs))),
          n: ROUNDS,
          seed: SEED,
        },
        ...{ unit: 'times PyTorch’s step', reference: 'PyTorch (channels_last, 2 threads, jemalloc)' },
        note: `batches of ${step.batch}, ${step.workers} workers: ${told}${existsSync(JEMALLOC) ? '' : '; without jemalloc'}`,
      },
    ];
  },
});

export const steps: readonly Bench[] = STEPS.map(bench);

/**
 * Time of an epoch against PyTorch's: the same network, batch and images, in turn in the same run. The peers' script has no
 * clock of its own around an epoch, so that two runs of different length tell it.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { median } from '@espalier/compression/recipe/latency';
import { linesOf } from '../program.ts';
import { type Bench, rounded, SEED } from './row.ts';
import { Subject } from './subject.ts';

const MODEL = 'cifar10-resnet20';
const SAMPLES = 5120;
const ROUNDS = 3;
const EPOCHS = 2;
/** PyTorch's fastest allocator on a processor, with the settings that it takes. */
const JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2';
const ALLOCATOR = {
  ...(existsSync(JEMALLOC) && { LD_PRELOAD: JEMALLOC }),
  MALLOC_CONF: 'dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0,thp:always',
};

/** Seconds of a training of so many epochs: `prune.py` at a ratio that removes nothing trains the whole network. */
async function theirSeconds(scripts: string, python: string, data: string, out: string, epochs: number) {
  const args = ['--data', data, '--model', 'resnet20', '--out', out, '--method', 'l1', '--ratio', '0.01'];
  const more = ['--epochs', String(epochs), '--samples', String(SAMPLES), '--threads', '2'];
  const found = await linesOf(python, [path.join(scripts, 'prune.py'), ...args, ...more], {
    ...{ env: ALLOCATOR, log: 'ignore' },
  });
  return Number(found.at(-1)!.wall_s);
}

/** Seconds of our second epoch; the first also warms up. */
async function ourSeconds(subject: Subject, batch: number, workers: number): Promise<number> {
  const stage = { epochs: EPOCHS, batch, optimizer: { rate: 0.02 }, augment: { flip: true, shift: 4 } };
  const { history } = await subject.train(
    subject.graph,
    { freshNorm: false, stages: [stage] },
    SAMPLES,
    null,
    SEED,
    workers,
  );
  return history.at(-1)!.seconds;
}

const step = (id: string, batch: number, workers: number): Bench => ({
  id,
  async measure(data, peers) {
    if (!peers) return [];
    const scripts = path.join(data, '..', 'peers', 'compression');
    const python = path.join(peers, 'bin', 'python');
    const out = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
    const subject = await Subject.open(data, MODEL);
    const ratios: number[] = [];
    const times: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const ours = await ourSeconds(subject, batch, workers);
      const short = await theirSeconds(scripts, python, data, out, 1);
      const theirs = (await theirSeconds(scripts, python, data, out, 1 + EPOCHS)) - short;
      ratios.push((EPOCHS * ours) / theirs);
      times.push(`${rounded(ours)} against ${rounded(theirs / EPOCHS)} s`);
    }
    await subject.close();
    rmSync(out, { recursive: true, force: true });
    return [
      {
        ...{ id, value: rounded(median(ratios)), unit: 'times PyTorch’s epoch', n: ROUNDS, seed: SEED },
        reference: 'PyTorch (NCHW, 2 threads, jemalloc), batches of 128, by the peers’ prune.py',
        note: `an epoch of ${SAMPLES} images in batches of ${batch}, ${workers} workers: ${times.join(', ')}`,
      },
    ];
  },
});

export const steps: readonly Bench[] = [step('step-resnet20', 128, 2), step('step-resnet20-one', 64, 1)];

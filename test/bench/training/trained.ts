/** Accuracy after training, each against what PyTorch and Torch-Pruning reach with the same images and epochs. */
import { readChecked } from '@espalier/compression/inspect';
import type { Graph } from '@espalier/compression/onnx/graph';
import { probeBlock } from '@espalier/compression/train/layout';
import { NETS } from '../../../controller/compression/test/train/nets.ts';
import { gradientErrors } from '../../../controller/compression/test/train/oracle.ts';
import { type Bench, type Row, rounded, SEED } from './row.ts';
import { Subject } from './subject.ts';

const gradients: Bench = {
  id: 'gradients',
  async measure() {
    const block = await probeBlock();
    let worst = 0;
    for (const net of NETS) {
      const { gradient, layout } = await gradientErrors(net, block);
      worst = Math.max(worst, gradient, layout);
    }
    return [
      {
        ...{ id: this.id, value: worst, unit: 'relative error', n: NETS.length, seed: SEED },
        reference: 'central differences in float64; both layouts',
      },
    ];
  },
};

/** As the reference: SGD with Nesterov, weight decay 5e-4, a tenth of warm-up, shifts of 4 and flips. */
const stage = (more: object) => ({
  epochs: 1,
  batch: 128,
  optimizer: { rate: 0.02, weightDecay: 5e-4, warmup: 0.1 },
  augment: { flip: true, shift: 4 },
  ...more,
});

interface Half {
  readonly id: string;
  readonly model: string;
  readonly importance: 'l1' | 'obs';
  readonly samples: number;
  readonly teacher: string | null;
  readonly reference: string;
}

const halved = ({ id, model, importance, samples, teacher, reference }: Half): Bench => ({
  id,
  async measure(data): Promise<Row[]> {
    const subject = await Subject.open(data, model);
    const pruned = await subject.cut({ importance, ratio: 0.5 });
    const before = await subject.top1(pruned);
    const taught: Graph | null = teacher ? await readChecked(`${data}/models/${teacher}.onnx`) : null;
    const recipe = { stages: [stage({ distill: taught ? { weight: 0.9 } : null })] };
    const { graph } = await subject.train(pruned, recipe, samples, taught);
    const { top1, n } = await subject.top1(graph);
    await subject.close();
    const order = importance === 'obs' ? 'by exact error, refitted' : 'by L1, cut only';
    return [
      {
        ...{ id, value: rounded(top1), unit: 'top-1 %', reference, n, seed: SEED },
        note: `${order}; ${rounded(before.top1)} before training; one epoch of ${samples}`,
      },
    ];
  },
});

const halves: Half[] = [
  {
    ...{ id: 'prune50-resnet20', model: 'cifar10-resnet20', importance: 'l1', samples: 10_000, teacher: null },
    reference: 'Torch-Pruning + PyTorch 81.86',
  },
  {
    ...{ id: 'prune50-resnet20-ours', model: 'cifar10-resnet20', importance: 'obs', samples: 10_000 },
    ...{ teacher: 'cifar10-resnet20', reference: 'the row above: our order, refit, and distillation from itself' },
  },
  {
    ...{ id: 'prune50-resnet20-kd', model: 'cifar10-resnet20', importance: 'obs', samples: 10_000 },
    ...{ teacher: 'cifar10-resnet56', reference: 'PyTorch, L1, distilled from ResNet-56: 84.90' },
  },
  {
    ...{ id: 'prune50-resnet56', model: 'cifar10-resnet56', importance: 'obs', samples: 5_000 },
    ...{ teacher: 'cifar10-resnet56', reference: 'Torch-Pruning + PyTorch, L1: 87.76' },
  },
];

const qat4: Bench = {
  id: 'qat4-resnet20',
  async measure(data) {
    const subject = await Subject.open(data, 'cifar10-resnet20');
    const quantized = (more: object) => ({
      freshNorm: false,
      stages: [
        stage({
          ...{ optimizer: { rate: 0.002, warmup: 0.1 }, quantize: { weightBits: 4, activationBits: 4 } },
          ...{ distill: { weight: 0.9 }, ...more },
        }),
      ],
    });
    const untrained = await subject.train(
      subject.prepared,
      quantized({ optimizer: { rate: 1e-12 } }),
      512,
      subject.graph,
    );
    const trained = await subject.train(subject.prepared, quantized({}), 10_000, subject.graph);
    const before = await subject.top1(untrained.simulated!);
    const { top1, n } = await subject.top1(trained.simulated!);
    await subject.close();
    return [
      {
        ...{
          id: this.id,
          value: rounded(top1),
          unit: 'top-1 %',
          reference: 'PyTorch QAT 89.50, PTQ 86.80',
          n,
          seed: SEED,
        },
        note: `int4 weights and activations, first and last layer 8 bit; ${rounded(before.top1)} before training; distilled from the float network`,
      },
    ];
  },
};

export const trained: readonly Bench[] = [gradients, ...halves.map(halved), qat4];

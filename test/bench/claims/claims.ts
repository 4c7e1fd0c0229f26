/** The ledger: what the field says, and the figure that would show it. */

import { halfTime, survivingGradients, weightRange } from './arithmetic.ts';
import { chainedArm, steppedArm, trainedArm, withRelu6 } from './arms.ts';
import type { Arm } from './lab.ts';
import { STAGES, typical, winogradGain } from './winograd.ts';

export interface Claim {
  readonly id: string;
  readonly claim: string;
  readonly conditions: string;
  readonly unit: string;
  /** Effect that the claim promises, in its unit. */
  readonly claimed: number;
  /** Where the effect is seen only in part: when it is. */
  readonly onlyWhen: string;
  readonly arms: readonly Arm[];
  /** What it takes beside the data, where it takes something: without it figures that are kept are told. */
  readonly needs?: 'ncnn';
  /** From the arms' figures in their order. */
  readonly effect: (figures: readonly number[]) => number;
}

const HALF = { importance: 'l1', ratio: 0.5 } as const;
const QUARTER = { importance: 'l1', ratio: 0.75 } as const;
const KD = { weight: 0.9 };
const hint = (kind: string, weight: number) => ({
  weight: 0,
  hints: ['relu_24', 'relu_47', 'relu_70'].map((end) => ({ kind, student: end, teacher: end, weight })),
});

const whole = trainedArm({ id: 'whole' });
const third = trainedArm({ id: 'cut30-l1', cut: { importance: 'l1', ratio: 0.3 } });
const half = trainedArm({ id: 'half-l1', cut: HALF });
const halfTaylor = trainedArm({ id: 'half-taylor', cut: { importance: 'taylor', ratio: 0.5 } });
const halfRandom = trainedArm({ id: 'half-random', cut: { importance: 'random', ratio: 0.5 } });
const halfLong = trainedArm({ id: 'half-l1-3x', cut: HALF, stage: { epochs: 3 } });
const halfFive = trainedArm({ id: 'half-l1-5x', cut: HALF, stage: { epochs: 5 } });
const halfKd = trainedArm({ id: 'half-kd', cut: HALF, stage: { distill: KD }, teacher: 'larger' });
const halfCooling = trainedArm({
  ...{ id: 'half-kd-10-2', cut: HALF, teacher: 'larger' },
  stage: { distill: { ...KD, temperature: { from: 10, to: 2 } } },
});
const halfFeature = trainedArm({
  id: 'half-feature',
  cut: HALF,
  stage: { distill: hint('feature', 1) },
  teacher: 'itself',
});
const halfAttention = trainedArm({
  ...{ id: 'half-attention', cut: HALF, stage: { distill: hint('attention', 100) }, teacher: 'itself' },
});
const still = { rate: 1e-12 };
const slow = { rate: 0.002, warmup: 0.1 };
const quantized = (id: string, bits: number, optimizer: object, change?: typeof withRelu6) =>
  trainedArm({
    ...{ id, freshNorm: false, simulated: true, ...(change && { change }) },
    stage: {
      quantize: { weightBits: bits, activationBits: bits },
      optimizer,
    },
  });
const mixed = (id: string, cutmix: number, mixup: number) =>
  trainedArm({ id, cut: HALF, stage: { augment: { flip: true, shift: 4, cutmix, mixup } } });
const strong = {
  augment: { flip: true, shift: 4, scale: 0.2, rotate: 15, brightness: 0.2, contrast: 0.2, hue: 18, saturation: 0.2 },
};

const minus = ([ours, theirs]: readonly number[]): number => ours! - theirs!;
const POINTS = 'points of top-1';
const STANDARD = 'ResNet-20, CIFAR-10, 5,000 images once, SGD 0.02, judged on 5,000 test images';

export const claims: readonly Claim[] = [
  {
    ...{
      id: 'l1-30-lossless',
      claim: 'Removing 30 % of the channels by L1 costs nothing after fine-tuning',
      unit: POINTS,
    },
    ...{
      claimed: -0.3,
      arms: [third, whole],
      effect: minus,
      conditions: `${STANDARD}; against the whole network with the same training`,
    },
    onlyWhen: 'the training is longer than one pass',
  },
  {
    ...{ id: 'taylor-beats-l1', claim: 'Taylor importance beats L1', unit: POINTS, claimed: 0.3, effect: minus },
    ...{ arms: [halfTaylor, half], conditions: `${STANDARD}; half of the inner channels` },
    onlyWhen: 'by less than a third of a point',
  },
  {
    ...{
      id: 'l1-beats-random',
      claim: 'L1 importance beats a random choice',
      unit: POINTS,
      claimed: 0.3,
      effect: minus,
    },
    ...{ arms: [half, halfRandom], conditions: `${STANDARD}; half of the inner channels` },
    onlyWhen: 'by less than a third of a point',
  },
  {
    ...{
      id: 'steps-beat-one-shot',
      claim: 'Steps of 5 % with training between beat one cut',
      unit: POINTS,
      claimed: 0.3,
    },
    ...{ arms: [steppedArm('half-steps', 0.5, 10, 5), halfFive], effect: minus },
    ...{
      conditions: `${STANDARD}; ten steps to one half against one cut, five passes of all images each: 39 updates after a step`,
      onlyWhen: 'each step has passes of its own',
    },
  },
  {
    ...{ id: 'longer', claim: 'Two to three times the epochs win back what a cut lost', unit: POINTS, claimed: 1 },
    ...{ arms: [halfLong, half], effect: minus, conditions: `${STANDARD}; half cut, three times the passes` },
    onlyWhen: 'by less than a point',
  },
  {
    ...{
      id: 'distillation',
      claim: 'Distillation adds half a point or more',
      unit: POINTS,
      claimed: 0.5,
      effect: minus,
    },
    ...{ arms: [halfKd, half], conditions: `${STANDARD}; half cut, ResNet-56 teaches, T = 4, weight 0.9` },
    onlyWhen: 'by less than half a point',
  },
  {
    ...{ id: 'cooling', claim: 'A temperature that falls from 10 to 2 beats a fixed 4', unit: POINTS, claimed: 0.3 },
    ...{ arms: [halfCooling, halfKd], effect: minus, conditions: `${STANDARD}; half cut, ResNet-56 teaches` },
    onlyWhen: 'by less than a third of a point',
  },
  {
    ...{
      id: 'feature-transfer',
      claim: 'Matching feature maps (L2) alone helps',
      unit: POINTS,
      claimed: 0.3,
      effect: minus,
    },
    ...{
      arms: [halfFeature, half],
      conditions: `${STANDARD}; half cut, three stages, the whole network teaches, no logits`,
    },
    onlyWhen: 'by less than a third of a point',
  },
  {
    ...{ id: 'attention-transfer', claim: 'Attention transfer alone helps', unit: POINTS, claimed: 0.3, effect: minus },
    ...{
      arms: [halfAttention, half],
      conditions: `${STANDARD}; half cut, three stages, the whole network teaches, no logits`,
    },
    onlyWhen: 'by less than a third of a point',
  },
  {
    ...{
      id: 'qat8',
      claim: 'Quantization-aware training gains 2 to 3 points over PTQ at int8',
      unit: POINTS,
      claimed: 2,
    },
    ...{ arms: [quantized('qat8', 8, { rate: 0.0005 }), quantized('ptq8', 8, still)], effect: minus },
    ...{ conditions: `${STANDARD}; weights a scale a channel, activations a range a tensor`, onlyWhen: 'by less' },
  },
  {
    ...{
      id: 'qat4',
      claim: 'Quantization-aware training gains 2 to 3 points over PTQ at int4',
      unit: POINTS,
      claimed: 2,
    },
    ...{ arms: [quantized('qat4', 4, slow), quantized('ptq4', 4, still)], effect: minus },
    ...{ conditions: `${STANDARD}; first and last layer 8 bit`, onlyWhen: 'by less' },
  },
  {
    ...{ id: 'relu6', claim: 'ReLU6 quantizes better than ReLU', unit: POINTS, claimed: 0.3 },
    arms: [quantized('qat4-relu6', 4, slow, withRelu6), quantized('qat4', 4, slow)],
    ...{
      effect: minus,
      conditions: `${STANDARD}; int4 activations and weights, both trained quantized with learnt ranges`,
    },
    onlyWhen: 'ranges are not learnt',
  },
  {
    ...{
      id: 'full-range',
      claim: 'Weights on [-128, 127] quantize better than on [-127, 127]',
      unit: 'dB of the logits',
      claimed: 0.3,
    },
    ...{ arms: [weightRange('weights-full', 8, true), weightRange('weights-narrow', 8, false)], effect: minus },
    ...{
      conditions: 'ResNet-20, ResNet-56 and ResNet-8, a scale a channel, weights alone rounded',
      onlyWhen: 'by less than 0.3 dB',
    },
  },
  {
    ...{
      id: 'full-range-4',
      claim: 'Weights on [-8, 7] quantize better than on [-7, 7]',
      unit: 'dB of the logits',
      claimed: 0.3,
    },
    ...{ arms: [weightRange('weights4-full', 4, true), weightRange('weights4-narrow', 4, false)], effect: minus },
    ...{
      conditions: 'ResNet-20, ResNet-56 and ResNet-8, a scale a channel, weights alone rounded',
      onlyWhen: 'by less than 0.3 dB',
    },
  },
  {
    ...{
      id: 'mixed-precision',
      claim: 'Mixed precision trains three times as fast',
      unit: 'times faster',
      claimed: 2,
    },
    ...{
      arms: [halfTime],
      effect: ([ratio]) => 1 / ratio! - 1,
      conditions: 'a convolution in float16 against float32, on this processor; no GPU was tested',
    },
    onlyWhen: 'by less than three times',
  },
  {
    ...{
      id: 'loss-scale',
      claim: 'A loss scale of 2^12 keeps gradients that float16 flushes',
      unit: '% of the gradients',
      claimed: 1,
    },
    ...{ arms: [survivingGradients('alive-4096', 4096), survivingGradients('alive-1', 1)], effect: minus },
    ...{
      conditions: 'ResNet-20, one batch of 64; share of the gradients that are not zero in float16 either',
      onlyWhen: 'by less than 1 %',
    },
  },
  {
    ...{
      id: 'middle-teacher',
      claim: 'Large to middle to small gains 4 to 6 points over training the small one',
      unit: POINTS,
      claimed: 4,
    },
    ...{
      arms: [chainedArm('quarter-chain', [0.5, 0.75]), trainedArm({ id: 'quarter-l1', cut: QUARTER })],
      effect: minus,
    },
    ...{ conditions: `${STANDARD}; three quarters cut, by way of one half, equal image passes`, onlyWhen: 'by less' },
  },
  {
    ...{
      id: 'small-nets-augmentation',
      claim: 'Small networks lose more by strong augmentation than large ones',
      unit: POINTS,
      claimed: 0.3,
    },
    arms: [
      ...[
        trainedArm({ id: 'quarter-l1', cut: QUARTER }),
        trainedArm({ id: 'quarter-strong', cut: QUARTER, stage: strong }),
      ],
      ...[whole, trainedArm({ id: 'whole-strong', stage: strong })],
    ],
    effect: ([small, smallStrong, large, largeStrong]) => small! - smallStrong! - (large! - largeStrong!),
    ...{
      conditions: `${STANDARD}; scale, rotation, brightness, contrast, hue and saturation against flips and shifts`,
      onlyWhen: 'by less',
    },
  },
  {
    ...{ id: 'cutmix-mixup', claim: 'CutMix and MixUp 3:1 beat either alone', unit: POINTS, claimed: 0.3 },
    arms: [mixed('half-mix-3-1', 0.375, 0.125), mixed('half-cutmix', 0.5, 0), mixed('half-mixup', 0, 0.5)],
    effect: ([both, ...alone]) => both! - Math.max(...alone),
    ...{ conditions: `${STANDARD}; half cut, half of the batches mixed, against the better one`, onlyWhen: 'by less' },
  },
  {
    ...{ id: 'winograd', claim: 'Winograd convolutions are faster on CPUs', unit: 'times faster', claimed: 0.1 },
    arms: STAGES.map(([channels, side]) => winogradGain(channels, side)),
    effect: (gains) => typical(gains) - 1,
    needs: 'ncnn',
    conditions: `ncnn, one thread, float32, four 3x3 convolutions of ${STAGES.map(([channels, side]) => `${channels} channels at ${side}x${side}`).join(', ')}; the median width`,
    onlyWhen: 'by less',
  },
];

/** A training recipe, as a user reads and edits it: stages one after the other. */
import { z } from 'zod';

const share = z.number().min(0).max(1);

export const Augmentation = z
  .strictObject({
    flip: z.boolean().default(true).describe('half of the images are mirrored'),
    shift: z.int().min(0).default(0).describe('moved by up to so many pixels of the stored image'),
    scale: share.default(0).describe('0.2: from 0.8 to 1.2 times the size'),
    rotate: z.number().min(0).max(180).default(0).describe('degrees to either side'),
    brightness: share.default(0).describe('0.2: times 0.8 to 1.2'),
    contrast: share.default(0).describe('0.2: times 0.8 to 1.2, about the mean'),
    hue: z.number().min(0).max(180).default(0).describe('degrees to either side'),
    saturation: share.default(0).describe('0.2: times 0.8 to 1.2'),
    cutmix: share.default(0).describe('share of the batches that are mixed by pasting rectangles'),
    mixup: share.default(0).describe('share of the batches that are mixed by blending'),
  })
  .refine(({ cutmix, mixup }) => cutmix + mixup <= 1, 'cutmix and mixup are shares of one whole');
export type Augmentation = z.infer<typeof Augmentation>;

const HintSpec = z.strictObject({
  kind: z.enum(['feature', 'attention']),
  student: z.string().describe('a value of the network, [N, C, H, W]'),
  teacher: z.string().describe('the value of the teacher that it is held against'),
  weight: z.number().positive(),
});

const Distillation = z.strictObject({
  weight: share.default(0.9).describe('part of the loss; the labels take the rest'),
  temperature: z
    .strictObject({ from: z.number().positive(), to: z.number().positive() })
    .default({ from: 4, to: 4 })
    .describe('in a straight line over the stage'),
  hints: z.array(HintSpec).default([]),
});

const OptimizerRecipe = z.strictObject({
  kind: z.enum(['sgd', 'adamw']).default('sgd'),
  rate: z.number().positive().default(0.01),
  momentum: z.number().min(0).max(0.999).default(0.9),
  nesterov: z.boolean().default(true),
  weightDecay: z.number().min(0).default(1e-4).describe('on weights that multiply only'),
  clipNorm: z.number().min(0).default(5).describe('0 for no limit'),
  warmup: share.default(0.08).describe('share of the stage in which the rate rises'),
  average: z
    .number()
    .min(0)
    .max(0.9999)
    .default(0)
    .describe('decay of the average of the weights that is kept; 0: none'),
});

const FakeQuantization = z.strictObject({
  weightBits: z.int().min(2).max(8).default(8).describe('symmetric, a scale for each output channel'),
  activationBits: z.int().min(2).max(8).default(8).describe('a learnt range for each tensor'),
  edgeBits: z.int().min(2).max(8).default(8).describe('of the first and the last layer'),
});
export type FakeQuantization = z.infer<typeof FakeQuantization>;

export const TrainStage = z.strictObject({
  name: z.string().default('train'),
  epochs: z.int().positive(),
  batch: z.int().positive().default(64),
  train: z.enum(['all', 'head']).default('all').describe('head: only the last weighted layer'),
  labelSmoothing: share.default(0),
  optimizer: OptimizerRecipe.prefault({}),
  augment: Augmentation.prefault({}),
  distill: Distillation.nullable().default(null),
  precision: z
    .enum(['float32', 'float16'])
    .default('float32')
    .describe('float16: weighted operators are rounded to half'),
  lossScale: z.number().positive().default(4096).describe('first factor on the loss in float16; 1 for none'),
  quantize: FakeQuantization.nullable().default(null).describe('weights and activations are rounded while training'),
  binarize: z.boolean().default(false).describe('inner convolutions see signs only, of weights and of inputs'),
});
export type TrainStage = z.infer<typeof TrainStage>;

export const TrainRecipe = z.strictObject({
  version: z.literal(1).default(1),
  freshNorm: z
    .boolean()
    .default(true)
    .describe('a BatchNormalization is put behind each convolution that has none, and folded away at the end'),
  stages: z.array(TrainStage).min(1),
});
export type TrainRecipe = z.infer<typeof TrainRecipe>;

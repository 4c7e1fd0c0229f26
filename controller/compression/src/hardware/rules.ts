import { z } from 'zod';

/** Where QuantizeLinear/DequantizeLinear pairs go. */
export const Placement = z.strictObject({
  /**
   * `profitable-edges`: around operators with an int8 kernel, where the conversion pays (CPUs).
   * `all-edges`: on every edge from the inputs to the outputs, so that the whole network is integer (NPUs).
   * `weighted-inputs`: on what weighted operators read and nothing else (TensorRT, which fuses what follows them).
   */
  at: z.enum(['profitable-edges', 'all-edges', 'weighted-inputs']),
  /** With `weighted-inputs`: operators whose shortcut operand is quantized too, so that they join the convolution. */
  residual: z.array(z.string()).default([]),
});

/** Largest sizes an accelerator takes; a node beyond one stays float and the report says which. */
export const Limit = z.strictObject({
  kernelMax: z.int().positive().optional(),
  kernelHeightMax: z.int().positive().optional(),
  kernelAreaMax: z.int().positive().optional(),
  strideMax: z.int().positive().optional(),
  padMax: z.int().nonnegative().optional(),
  dilationMax: z.int().positive().optional(),
  channelsMax: z.int().positive().optional(),
});
export type Limit = z.infer<typeof Limit>;

/** When too few channels make int8 slower than half precision. */
export const Narrow = z.strictObject({
  /** Convolutions with fewer input or output channels stay float, but for the two exceptions. */
  channelsMin: z.int().positive(),
  /** Ungrouped with a square kernel: a channel count is this multiple, and it is the first layer or one is wide. */
  denseMultiple: z.int().positive(),
  /** Grouped: the output channels are this multiple and no side of the kernel is shorter. */
  groupedMultiple: z.int().positive(),
  groupedKernelMin: z.int().positive(),
  /** Gemm and MatMul with fewer rows or columns of weights stay float. */
  matrixMin: z.int().positive(),
  /** Products with fewer rows of data stay float: they wait for the weights, whatever their type. */
  rowsMin: z.int().positive(),
});
export type Narrow = z.infer<typeof Narrow>;

/** What the device's compiler can be given. */
export const Shapes = z.strictObject({
  /** The one batch size of a static network; null where the batch may vary. */
  batch: z.int().positive().nullable(),
  /** Dimensions a tensor may have; null without a limit. */
  rankMax: z.int().positive().nullable(),
});

/** The vendor's compiler that turns the build into what the device loads: written beside it, run by the operator. */
export const Compiler = z.strictObject({
  tool: z.string(),
  /** `{model}`, `{name}` and `{profile}` stand for the file, its name without extension, and the profile. */
  arguments: z.array(z.string()),
  /** What a compiled file is bound to: it is made again when one of these changes. */
  cacheKey: z.array(z.string()),
});
export type Compiler = z.infer<typeof Compiler>;

/** The program that judges a build without the device; `npm run test:oracles` runs those that install. */
export const Oracle = z.strictObject({
  tool: z.enum(['onnxruntime', 'vela', 'litert', 'rknn', 'qnn', 'rules', 'none']),
  /** The target as the tool names it. */
  target: z.string().nullable().default(null),
  arguments: z.array(z.string()).default([]),
});

/** How sure a fact is. */
export const EVIDENCE_KINDS = ['measured', 'compiler', 'source', 'document', 'assumed'] as const;

/** Where a value comes from; a plain sentence is evidence whose kind is not stated. */
export const Evidence = z.union([
  z.string(),
  z.strictObject({ kind: z.enum(EVIDENCE_KINDS), text: z.string().min(1) }),
]);

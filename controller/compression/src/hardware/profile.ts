import { Facts, SessionOptions } from '@espalier/proto';
import { z } from 'zod';
import { Compiler, Evidence, Limit, Narrow, Oracle, Placement, Shapes } from './rules.js';

/**
 * Facts a machine must have. Every condition given must hold; lists under `features` must be there whole. A profile
 * without any condition is chosen by name only.
 */
const Match = z.strictObject({
  arch: Facts.shape.arch.optional(),
  features: z.array(z.string()).default([]),
  /** Any one of these strings of the device tree's `compatible`. */
  compatible: z.array(z.string()).default([]),
  /** The name of an accelerator that the agent found. */
  accelerator: z.string().nullable().default(null),
  /** The runtime adapter that serves the build: a board without it gets the profile of its CPU. */
  runtime: z.string().nullable().default(null),
});

/** How int8 tensors look. Activations are per tensor; weights are symmetric, zero point 0. */
const Scheme = z.strictObject({
  activations: z.enum(['uint8', 'int8', 'uint16', 'int16']),
  /** Activations have the zero point in the middle: 0 for int8. */
  symmetric: z.boolean().default(false),
  weights: z.enum(['int8']),
  perChannel: z.boolean(),
  /** Operators whose weights may have a scale a channel; null: all. */
  perChannelOperators: z.array(z.string()).nullable().default(null),
  bias: z.enum(['int32', 'float']).default('int32'),
  /** Weights are stored as float behind QuantizeLinear and DequantizeLinear instead of as int8. */
  weightQuantizer: z.boolean().default(false),
  /** The multiply-add adds two products in 16 bits (VPMADDUBSW), so weights are kept below its overflow. */
  pairSafe: z.boolean(),
});

/** Channel counts a kernel wants: what is not a multiple runs in a slower one. */
const Alignment = z.strictObject({
  inputChannels: z.int().positive(),
  outputChannels: z.int().positive(),
  outputChannelsMin: z.int().positive(),
  depthwiseChannels: z.int().positive(),
  /** Of every channel count in a float32 build, whose kernels like other widths than those of int8; null where they do not. */
  float32Channels: z.int().positive().nullable().default(null),
  /** A first convolution with `from` input channels runs faster when zeros fill them up to `to`; null: no gain known. */
  padInput: z.strictObject({ from: z.int().positive(), to: z.int().positive() }).nullable(),
});

/** What the runtime on this hardware does with quantized operators. */
const Fusion = z.strictObject({
  /** Operators with an int8 kernel. */
  int8: z.array(z.string()),
  /** Activations that vanish into the quantization behind an int8 operator. */
  absorb: z.array(z.string()),
  /** Operators that only move data: they carry int8 through with the parameters of their input. */
  carry: z.array(z.string()),
  /** Operators that can give float straight from an int8 kernel: as the last node they need no quantized output. */
  floatOutput: z.array(z.string()),
  /** Operators that stay float, each with the reason a report shows. */
  float: z.record(z.string(), z.string()),
  /** Operators whose operands share one scale. */
  unify: z.array(z.string()).default(['Concat']),
  /** Operators whose output range the kernels have built in: [min, max]. */
  fixedRange: z.record(z.string(), z.tuple([z.number(), z.number()])).default({}),
  /** Chains that the runtime or compiler makes one kernel of. */
  patterns: z.array(z.array(z.string()).min(2)).default([]),
});

const Memory = z.strictObject({ totalBytes: z.int().positive().nullable() });

const LatencyRow = z.strictObject({
  soc: z.string(),
  runtime: z.string(),
  options: z.string(),
  powerMode: z.string().nullable(),
  op: z.string(),
  p50Us: z.number().positive(),
});

/** Names of the rewrites that a profile may ask for. */
const REWRITES = [
  ...(['crop-average-pool', 'fold-pad'] as const),
  ...(['recognize-hard-swish', 'recognize-silu', 'recognize-gelu', 'recognize-layer-norm'] as const),
] as const;

/** A hardware profile, whole: what {@link loadProfiles} gives after `extends` was resolved. */
export const HardwareProfile = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  extends: z.string().nullable(),
  title: z.string(),
  match: Match,
  precisions: z.array(z.enum(['float32', 'float16', 'int8', 'int16', 'w8', 'w4', 'dynamic'])).min(1),
  scheme: Scheme,
  placement: Placement,
  alignment: Alignment,
  fusion: Fusion,
  /** By operator; `DepthwiseConv` is a Conv with a group for each channel, when it differs from other Convs. */
  limits: z.record(z.string(), Limit),
  narrow: Narrow.nullable(),
  shapes: Shapes,
  /** Operators that run and are better replaced, each with by what and why: a note of the report when a model has one. */
  advice: z.record(z.string(), z.string()),
  /**
   * Exact rewrites before quantization: for what the device's compiler does not take as it is, and operators written out in
   * smaller ones that its kernels run faster as one.
   */
  rewrites: z.array(z.enum(REWRITES)),
  memory: Memory,
  /**
   * Files that a build can be, the first by default. A .tflite after .onnx is the same network with the same ends: the device
   * takes the one that is faster there.
   */
  outputs: z.array(z.enum(['onnx', 'tflite'])).min(1),
  compiler: Compiler.nullable(),
  oracle: Oracle,
  session: SessionOptions,
  latencyTable: z.array(LatencyRow),
  /** Field path to where its value comes from. */
  evidence: z.record(z.string(), Evidence),
});
export type HardwareProfile = z.infer<typeof HardwareProfile>;

/** What a profile means that does not speak of a section. */
export const PROFILE_DEFAULTS = {
  match: {},
  placement: { at: 'profitable-edges' },
  limits: {},
  narrow: null,
  shapes: { batch: null, rankMax: null },
  advice: {},
  rewrites: [],
  outputs: ['onnx'],
  compiler: null,
  oracle: { tool: 'onnxruntime' },
  latencyTable: [],
  evidence: {},
} as const;

/** A profile file: what it leaves out comes from the profile it extends, section by section. */
export const ProfileFile = HardwareProfile.partial().required({ id: true, title: true });
export type ProfileFile = z.infer<typeof ProfileFile>;

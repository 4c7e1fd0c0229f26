import { Facts, SessionOptions } from '@espalier/proto';
import { z } from 'zod';

/** Facts a machine must have. Every condition given must hold; lists under `features` must be there whole. */
const Match = z.strictObject({
  arch: Facts.shape.arch.optional(),
  features: z.array(z.string()).default([]),
  /** Any one of these strings of the device tree's `compatible`. */
  compatible: z.array(z.string()).default([]),
});

/** How int8 tensors look. Activations are per tensor; weights are symmetric, zero point 0. */
const Scheme = z.strictObject({
  activations: z.enum(['uint8']),
  weights: z.enum(['int8']),
  perChannel: z.boolean(),
  /** The multiply-add adds two products in 16 bits (VPMADDUBSW), so weights are kept below its overflow. */
  pairSafe: z.boolean(),
});

/** Channel counts a kernel wants: what is not a multiple runs in a slower one. */
const Alignment = z.strictObject({
  inputChannels: z.int().positive(),
  outputChannels: z.int().positive(),
  outputChannelsMin: z.int().positive(),
  depthwiseChannels: z.int().positive(),
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

/** A hardware profile, whole: what {@link loadProfiles} gives after `extends` was resolved. */
export const HardwareProfile = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  extends: z.string().nullable(),
  title: z.string(),
  match: Match,
  precisions: z.array(z.enum(['float32', 'int8'])).min(1),
  scheme: Scheme,
  alignment: Alignment,
  fusion: Fusion,
  memory: Memory,
  format: z.enum(['onnx']),
  session: SessionOptions,
  latencyTable: z.array(LatencyRow),
  /** Field path to where its value comes from. */
  evidence: z.record(z.string(), z.string()),
});
export type HardwareProfile = z.infer<typeof HardwareProfile>;

/** A profile file: what it leaves out comes from the profile it extends, section by section. */
export const ProfileFile = HardwareProfile.partial().required({ id: true, title: true });
export type ProfileFile = z.infer<typeof ProfileFile>;

/**
 * The opt-in sample of live inputs: what a device is asked to keep of those that a classifier was unsure of, and how one of
 * them is laid out. Off unless a person switched it on for the model.
 */
import { z } from 'zod';
import { Sha256, Signature } from './manifest.js';

/** Bytes of one input; larger ones are never kept. Sealed and in base64 it stays below the 4 MiB of a gRPC message. */
export const SAMPLE_BYTES_MAX = 2 * 1024 * 1024;
/** The same, sealed: a third more for base64, and room for the header. */
export const SEALED_BYTES_MAX = Math.ceil(SAMPLE_BYTES_MAX * 1.4);
const HEADER_BYTES_MAX = 64 * 1024;

/** The controller's X25519 public key as a JWK [RFC 8037, 2]: only it can read what devices keep. */
export const SampleRecipient = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('X25519'),
  x: z.string().regex(/^[\w-]{43}$/, '32 bytes, base64url'),
});
export type SampleRecipient = z.infer<typeof SampleRecipient>;

/** What a device may keep, and for whom. */
export const SamplingRequest = z.object({
  deviceId: z.string(),
  model: z.object({ name: z.string(), version: z.string() }),
  /** An input may be kept when the largest probability of its answer is below this. */
  confidenceBelow: z.number().gt(0).max(1),
  perDay: z.int().min(1).max(1000),
  /** Bytes that the device may hold at a time. */
  bytesMax: z.int().positive(),
  retentionDays: z.int().min(1).max(365),
  recipient: SampleRecipient,
});
export type SamplingRequest = z.infer<typeof SamplingRequest>;

/** Signed like a manifest, over the RFC 8785 bytes of `request`: a device keeps nothing without it. */
export const SamplingOrder = z.object({ request: SamplingRequest, signature: Signature });
export type SamplingOrder = z.infer<typeof SamplingOrder>;

/** ONNX element types of inputs that are kept: those that a data set can be made of. */
export const SampleType = z.enum(['float32', 'uint8', 'int8', 'int32', 'int64']);
export type SampleType = z.infer<typeof SampleType>;

/** What stands beside the values of one input. `input.shape` is that of one sample, without the batch. */
export const SampleHeader = z.object({
  version: z.literal(1),
  id: z.uuid(),
  /** Of the artifact that answered. */
  digest: Sha256,
  takenAt: z.iso.datetime(),
  /** First class of the answer, and its probability. */
  guess: z.int().nonnegative(),
  confidence: z.number().min(0).max(1),
  input: z.object({ name: z.string().max(256), type: SampleType, shape: z.array(z.int().positive()).min(1).max(8) }),
});
export type SampleHeader = z.infer<typeof SampleHeader>;

/** One sample: its header and the values of its input, row-major, little-endian. */
export interface FieldSample {
  readonly header: SampleHeader;
  readonly values: Uint8Array;
}

/** Header length (uint32, little-endian), header as UTF-8 JSON, values. Pure. */
export function packSample({ header, values }: FieldSample): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, values]);
}

/** The opposite. Pure. @throws RangeError, SyntaxError or ZodError for what is no packed sample */
export function unpackSample(packed: Uint8Array): FieldSample {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const length = bytes.readUInt32LE(0);
  if (length > HEADER_BYTES_MAX || 4 + length > bytes.length)
    throw new RangeError('the header is longer than it may be');
  const header = SampleHeader.parse(JSON.parse(bytes.toString('utf8', 4, 4 + length)));
  return { header, values: bytes.subarray(4 + length) };
}

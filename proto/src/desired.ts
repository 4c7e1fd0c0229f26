import { z } from 'zod';
import { Sha256 } from './manifest.js';
import { SamplingOrder } from './sampling.js';
import { TimingOrder } from './timing.js';

/** What the controller wants a device to serve. */
export const Target = z.object({
  executionId: z.string(),
  rolloutId: z.string(),
  model: z.string(),
  modelVersion: z.string(),
  variantId: z.string(),
  /** Digest of the artifact. */
  digest: Sha256,
  sizeBytes: z.int(),
  /** The signed manifest is itself a blob in the artifact store. */
  manifest: z.object({ sha256: Sha256, bytes: z.int() }),
});
export type Target = z.infer<typeof Target>;

/**
 * Desired state, version 1: one document, retained on MQTT and answered to a poll over gRPC.
 * `revision` grows with every change; a device ignores an older one. `target: null` means: serve what you have.
 */
export const DesiredState = z.object({
  version: z.literal(1),
  deviceId: z.string(),
  revision: z.int().nonnegative(),
  profile: z.object({ id: z.string(), matched: z.array(z.string()) }).nullable(),
  target: Target.nullable(),
  /** Executions that must end: before SWITCH they stop and report CANCELED; after it they come to their own end. */
  cancel: z.array(z.string()),
  /** Networks to time when the device has nothing else to do; absent from controllers that ask for none. */
  timing: TimingOrder.nullable().optional(),
  /** Inputs that the device may keep for labelling; absent or null: none, and what it still holds is deleted. */
  sampling: SamplingOrder.nullable().optional(),
  issuedAt: z.iso.datetime(),
});
export type DesiredState = z.infer<typeof DesiredState>;

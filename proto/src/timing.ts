/** Orders to time networks on a device, and what it answers: how latency tables and trials of builds are measured. */
import { z } from 'zod';
import { SessionOptions, Sha256, Signature } from './manifest.js';
import { ErrorInfo, RuntimeKey, WindowClass } from './messages.js';

/** One ONNX file to time. `profiled`: operator by operator too. */
export const TimedNetwork = z.object({ sha256: Sha256, bytes: z.int().positive(), profiled: z.boolean() });

/** What a device is to time, when it has nothing else to do. */
export const TimingRequest = z.object({
  id: z.string().min(8).max(64),
  deviceId: z.string(),
  networks: z.array(TimedNetwork).min(1).max(32),
  sessionOptions: SessionOptions,
  /** Runs of each network that count. */
  runs: z.int().min(20).max(400),
  /** Seconds of the device that all networks together may take. */
  limitS: z.int().positive().max(1800),
  /** Windows of another class are measured again. */
  classes: z.array(WindowClass).min(1),
  expiresAt: z.iso.datetime(),
});
export type TimingRequest = z.infer<typeof TimingRequest>;

/** Signed like a manifest, over the RFC 8785 bytes of `request`: a device runs nothing that is not. */
export const TimingOrder = z.object({ request: TimingRequest, signature: Signature });
export type TimingOrder = z.infer<typeof TimingOrder>;

/** Microseconds. `nodes`: mean time of each operator that was profiled, by its name in the file. */
export const NetworkTimes = z.object({
  sha256: Sha256,
  p50Us: z.number().positive(),
  n: z.int().positive(),
  class: WindowClass,
  nodes: z.record(z.string(), z.number().nonnegative()),
});
export type NetworkTimes = z.infer<typeof NetworkTimes>;

/** The answer to an order: every network, or why not. */
export const TimingMessage = z.object({
  requestId: z.string(),
  networks: z.array(NetworkTimes),
  deviceSeconds: z.number().nonnegative(),
  runtime: RuntimeKey,
  error: ErrorInfo.nullable(),
  at: z.iso.datetime(),
});
export type TimingMessage = z.infer<typeof TimingMessage>;

/** Whether one more sample of a device is taken: a device that lies about everything cannot fill the disk. Pure. */

const DAY_MS = 86_400_000;
/** A device's clock may be ahead by so much. */
const SKEW_MS = 10 * 60_000;
/** Sealed bytes that are kept of one model, all devices together. */
export const MODEL_BYTES_MAX = 1024 * 1024 * 1024;

export interface Admission {
  readonly policy: { readonly perDay: number; readonly bytesMax: number; readonly retentionDays: number };
  /** Of the device, samples that it says it took on the same day (UTC). */
  readonly takenThatDay: number;
  /** Of the device, bytes that came in the last 24 hours. */
  readonly bytesLately: number;
  readonly modelBytes: number;
}

export type Verdict =
  | { readonly kind: 'take' }
  /** It will never be taken. */
  | { readonly kind: 'refuse'; readonly reason: string }
  /** It may be taken later. */
  | { readonly kind: 'later'; readonly reason: string };

/** The day a sample belongs to, in UTC. */
export function dayOf(takenMs: number): { from: Date; to: Date } {
  const from = Math.floor(takenMs / DAY_MS) * DAY_MS;
  return { from: new Date(from), to: new Date(from + DAY_MS) };
}

export const expiresAt = (takenAt: Date, retentionDays: number): Date =>
  new Date(takenAt.getTime() + retentionDays * DAY_MS);

export function admit(now: Admission, takenMs: number, bytes: number, nowMs: number): Verdict {
  const { perDay, bytesMax, retentionDays } = now.policy;
  if (takenMs > nowMs + SKEW_MS) return { kind: 'refuse', reason: 'it says that it was taken in the future' };
  if (takenMs <= nowMs - retentionDays * DAY_MS)
    return { kind: 'refuse', reason: `it is older than the ${retentionDays} days that samples are kept` };
  if (now.takenThatDay >= perDay) return { kind: 'refuse', reason: `there are ${perDay} of that day already` };
  if (now.bytesLately + bytes > bytesMax)
    return { kind: 'later', reason: `the device sent ${now.bytesLately} bytes within a day, of ${bytesMax}` };
  if (now.modelBytes + bytes > MODEL_BYTES_MAX)
    return { kind: 'later', reason: `${now.modelBytes} bytes of the model are kept, of ${MODEL_BYTES_MAX}` };
  return { kind: 'take' };
}

/** Requests that arrive when they arrive, whether or not the ones before are answered; latency counts from the arrival. */
import { LatencyWindow } from '../latency-window.js';

export interface Arrivals {
  readonly ratePerS: number;
  readonly forMs: number;
  readonly now: () => number;
  readonly random: () => number;
}

export interface OpenLoopResult {
  readonly window: LatencyWindow;
  readonly sent: number;
  /** Refused by the scheduler or failed. */
  readonly refused: number;
  readonly late: number;
}

/** Milliseconds to the next arrival of a Poisson process. */
const gapMs = (ratePerS: number, random: () => number): number => (-Math.log(1 - random()) * 1000) / ratePerS;

/**
 * Sends at a rate and waits for all answers. What a coarse timer fires late is counted from when it was meant, so that
 * a stall shows in every request that it delayed [coordinated omission].
 * @param limitMs latency up to which an answer is in time
 */
export async function openLoop(
  send: (arrivedMs: number) => Promise<unknown>,
  { ratePerS, forMs, now, random }: Arrivals,
  limitMs: number,
): Promise<OpenLoopResult> {
  const window = new LatencyWindow();
  const open: Promise<void>[] = [];
  let refused = 0;
  let late = 0;
  const startMs = now();
  let nextMs = startMs + gapMs(ratePerS, random);
  while (nextMs < startMs + forMs) {
    const waitMs = nextMs - now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    for (; nextMs <= now() && nextMs < startMs + forMs; nextMs += gapMs(ratePerS, random)) {
      const arrivedMs = nextMs;
      const answered = (): void => {
        const ms = now() - arrivedMs;
        window.record(ms * 1000);
        if (ms > limitMs) late++;
      };
      open.push(send(arrivedMs).then(answered, () => void refused++));
    }
  }
  await Promise.all(open);
  return { window, sent: open.length, refused, late };
}

import type { Clock } from '../common/clock.js';

const STEP_LIMIT_MS = 180_000;
const POLL_MS = 300;

export type Until = <T>(what: string, read: () => Promise<T | null>) => Promise<T>;

/** Reads until there is a value. @throws Error that names what did not come within three minutes */
export const untilBy =
  (clock: Clock): Until =>
  async (what, read) => {
    const endMs = clock.now().getTime() + STEP_LIMIT_MS;
    for (;;) {
      const value = await read();
      if (value !== null) return value;
      if (clock.now().getTime() > endMs) throw new Error(`not within ${STEP_LIMIT_MS / 1000} s: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };

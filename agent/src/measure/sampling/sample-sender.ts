/** Brings sealed samples to the controller one by one, the oldest first; one is deleted when it is stored there. */
import { status } from '@grpc/grpc-js';
import { sleep } from '../../common/backoff.js';
import type { Log } from '../../common/log.js';
import type { SampleBox } from './sample-box.js';
import type { Sampler } from './sampler.js';

/** Answers after which sending again helps nothing: the controller does not want this sample. */
const FINAL: ReadonlySet<number> = new Set([
  ...[status.INVALID_ARGUMENT, status.PERMISSION_DENIED, status.NOT_FOUND],
  ...[status.FAILED_PRECONDITION, status.UNIMPLEMENTED],
]);

export interface SenderParts {
  readonly box: SampleBox;
  readonly sampler: Sampler;
  readonly upload: (sealed: Uint8Array) => Promise<void>;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
  readonly intervalMs: number;
}

export class SampleSender {
  #wake: () => void = () => undefined;

  constructor(private readonly parts: SenderParts) {}

  /** Sends soon: there is something new. */
  wake(): void {
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs, random, log } = this.parts;
    while (!signal.aborted) {
      await this.send(signal).catch((error: Error) => log.debug({ error: error.message }, 'samples are sent later'));
      const rest = new AbortController();
      this.#wake = () => rest.abort();
      const pause = intervalMs * (0.75 + random() / 2);
      await sleep(pause, AbortSignal.any([signal, rest.signal])).catch(() => undefined);
    }
  }

  /** One round. @throws what a later round may not meet: no way to the controller, or no room there */
  async send(signal: AbortSignal): Promise<void> {
    const { box, sampler, upload, log, now } = this.parts;
    const { request } = sampler;
    if (!request) return;
    const old = box.sweep(now(), request);
    if (old > 0) log.info({ samples: old }, 'samples that were too old or too many are deleted');
    for (const { name } of box.list()) {
      if (signal.aborted || sampler.request === null) return;
      const sealed = await box.read(name);
      if (!sealed) continue;
      try {
        await upload(sealed);
      } catch (error) {
        if (!FINAL.has((error as { code: number }).code)) throw error;
        log.warn({ error: (error as Error).message }, 'the controller refused a sample, and it is deleted');
      }
      box.remove(name);
    }
  }
}

/**
 * Keeps a few live inputs that the model was unsure of, sealed to the controller's key, where a signed order asks for it.
 * The serving path does no more than look at the scores and copy what is chosen; sealing and writing come later.
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import {
  canonicalDigest,
  classCount,
  isSignatureOf,
  type SampleHeader,
  SamplingOrder,
  type SamplingRequest,
  type TensorSpec,
} from '@espalier/proto';
import { readIfThere, writeDurably, writeDurablyLater } from '../../common/files.js';
import { parseJson } from '../../common/json.js';
import type { Log } from '../../common/log.js';
import { SignatureInvalid } from '../../errors.js';
import type { InputTensors, RawTensors } from '../../runtime/values.js';
import { unsureRows } from './candidate-rows.js';
import { type DayCount, FairSample, WINDOW_MS } from './fair-sample.js';
import type { SampleBox } from './sample-box.js';

/** Requests whose scores are looked at in a second: with a thousand classes, a hundredth of a processor. */
const LOOKS_A_SECOND = 200;

/** What answered: only builds that the controller published are sampled. */
export interface Answerer {
  readonly name: string;
  readonly version: string;
  readonly digest: string | null;
  readonly pool: { readonly outputs: readonly TensorSpec[] };
}

export interface SamplerParts {
  readonly box: SampleBox;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
  readonly deviceId: () => string;
  readonly artifactKeys: () => Readonly<Record<string, string>>;
  /** The owner of the device said never: no order is taken. */
  readonly isForbidden: boolean;
  /** Called when samples were added. */
  readonly onKept: () => void;
}

/** Header without what is only known when it is sealed, and the values. */
interface Chosen {
  readonly header: SampleHeader;
  readonly takenMs: number;
  readonly values: Uint8Array;
}

export class Sampler {
  #order: SamplingOrder | null = null;
  #fair: FairSample<Chosen> | null = null;
  #closing: NodeJS.Timeout | null = null;
  #second = 0;
  #looked = 0;
  /** While it lasts, nothing new is chosen: what waits to be sealed is bounded by one window. */
  #sealing: Promise<void> | null = null;

  constructor(private readonly parts: SamplerParts) {
    const stored = SamplingOrder.safeParse(parseJson(Buffer.from(readIfThere(this.#file('order')) ?? 'null')));
    if (stored.success && !parts.isForbidden && this.#isMeant(stored.data)) this.#begin(stored.data);
    else parts.box.clear();
  }

  get request(): SamplingRequest | null {
    return this.#order?.request ?? null;
  }

  /** Takes an order; null ends sampling and deletes what is still held. @throws ESP_SIGNATURE_INVALID */
  want(order: SamplingOrder | null): void {
    const wanted = this.parts.isForbidden ? null : order;
    if (wanted && !this.#isMeant(wanted)) throw SignatureInvalid({ keyid: wanted.signature.keyid });
    const before = this.#order?.request;
    if (!wanted) {
      this.#end();
      return;
    }
    if (before && canonicalDigest(before) === canonicalDigest(wanted.request)) return;
    // Other limits leave what is held; another model or another key makes it useless or unreadable.
    const isSame =
      before?.model.name === wanted.request.model.name && before.model.version === wanted.request.model.version;
    if (!isSame || before.recipient.x !== wanted.request.recipient.x) this.#end();
    writeDurably(this.#file('order'), JSON.stringify(wanted), 0o600);
    this.#begin(wanted);
    this.parts.log.info({ model: wanted.request.model, perDay: wanted.request.perDay }, 'unsure inputs are sampled');
  }

  /** Shows one answered request, whose memory may be used again after the call. Never throws, never waits. */
  offer(served: Answerer, feeds: InputTensors, outputs: RawTensors): void {
    const request = this.#order?.request;
    if (!request || !this.#fair || this.#sealing || served.digest === null) return;
    if (served.name !== request.model.name || served.version !== request.model.version) return;
    try {
      this.#consider(this.#fair, request, { ...served, digest: served.digest }, feeds, outputs);
    } catch (error) {
      this.parts.log.warn({ error: (error as Error).message }, 'an input could not be sampled');
    }
  }

  /** Ends the window that is over, seals and stores what it chose. */
  async keep(): Promise<void> {
    const { box, deviceId, log, now, onKept } = this.parts;
    const request = this.#order?.request;
    const chosen = this.#fair?.close(now()) ?? [];
    if (!request || chosen.length === 0) return;
    await writeDurablyLater(this.#file('day'), JSON.stringify(this.#fair!.day), 0o600);
    // Loaded with the first sample: most devices never need it.
    const { sealSample } = await import('@espalier/proto/seal');
    for (const { header, takenMs, values } of chosen) {
      try {
        const sealed = await sealSample({ header, values }, request.recipient, deviceId());
        if (this.#order?.request !== request) return;
        await box.add(header.id, takenMs, sealed, request);
        // Switched off while it was written.
        if (this.#order === null) return box.clear();
      } catch (error) {
        log.warn({ error: (error as Error).message }, 'a sampled input was dropped');
      }
    }
    onKept();
  }

  close(): void {
    if (this.#closing) clearTimeout(this.#closing);
  }

  #consider(
    fair: FairSample<Chosen>,
    request: SamplingRequest,
    served: Answerer & { readonly digest: string },
    feeds: InputTensors,
    outputs: RawTensors,
  ): void {
    const takenMs = this.parts.now();
    const width = classCount(served.pool.outputs);
    if (width === null || !fair.isReady(takenMs) || !this.#allows(takenMs)) return;
    const scores = { output: served.pool.outputs[0]!.name, width };
    for (const row of unsureRows(feeds, outputs, scores, request.confidenceBelow)) {
      const { guess, confidence, input } = row;
      fair.offer(takenMs, () => ({
        header: {
          ...{ version: 1, id: randomUUID(), digest: served.digest, guess, confidence, input },
          takenAt: new Date(takenMs).toISOString(),
        },
        takenMs,
        values: row.copy(),
      }));
    }
    if (fair.isOpen) this.#closing ??= setTimeout(() => this.#keepLater(), WINDOW_MS + 1).unref();
  }

  #allows(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) [this.#second, this.#looked] = [second, 0];
    return this.#looked++ < LOOKS_A_SECOND;
  }

  #keepLater(): void {
    this.#closing = null;
    this.#sealing = this.keep()
      .catch((error: Error) => this.parts.log.warn({ error: error.message }, 'sampled inputs were dropped'))
      .finally(() => (this.#sealing = null));
  }

  #begin(order: SamplingOrder): void {
    const { now, random } = this.parts;
    this.#order = order;
    const day = parseJson(Buffer.from(readIfThere(this.#file('day')) ?? 'null')) as DayCount | null;
    this.#fair = new FairSample(order.request.perDay, random, now(), day ?? undefined);
  }

  #end(): void {
    if (this.#order) this.parts.log.info('sampling ended, and what was held is deleted');
    this.#order = null;
    this.#fair = null;
    this.parts.box.clear();
  }

  #isMeant({ request, signature }: SamplingOrder): boolean {
    return request.deviceId === this.parts.deviceId() && isSignatureOf(request, signature, this.parts.artifactKeys());
  }

  #file(name: 'order' | 'day'): string {
    return path.join(this.parts.box.folder, `${name}.json`);
  }
}

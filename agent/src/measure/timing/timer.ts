/** Times the networks of an order in idle time: one child process at a time, killed by the first request. */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
  canonicalDigest,
  errorBody,
  isSignatureOf,
  type NetworkTimes,
  type TimingMessage,
  type TimingOrder,
  type TimingRequest,
} from '@espalier/proto';
import type { Log } from '../../common/log.js';
import { DigestMismatch, SignatureInvalid, TimingFailed } from '../../errors.js';
import { onnxRuntimeVersion } from '../../runtime/version.js';
import { hashFile } from '../../store/store.js';
import { nextTiming, type TimingFacts } from './next-timing.js';
import { timeInChild } from './run-child.js';

const WATCH_MS = 50;

export interface TimerParts {
  readonly folder: string;
  readonly log: Log;
  readonly now: () => number;
  readonly deviceId: () => string;
  readonly artifactKeys: () => Readonly<Record<string, string>>;
  /** Requests so far, and when one was answered last. */
  readonly load: () => { readonly requests: number; readonly lastMs: number };
  readonly updating: () => boolean;
  readonly download: (sha256: string, bytes: number, file: string, signal: AbortSignal) => Promise<void>;
  readonly report: (message: TimingMessage) => void;
  readonly soc: string | null;
  readonly powerMode: () => string | null;
}

export class NetworkTimer {
  #request: TimingRequest | null = null;
  #done = new Map<string, NetworkTimes>();
  #tries = 0;
  #spentMs = 0;
  #powerMode: string | null = null;
  /** The order that was answered last: the controller may still ask for it. */
  #answered = '';

  constructor(private readonly parts: TimerParts) {}

  /** Takes an order, or null for none any more. @throws ESP_SIGNATURE_INVALID */
  want(order: TimingOrder | null): void {
    const request = order?.request ?? null;
    if (request?.id === this.#request?.id || request?.id === this.#answered) return;
    if (order && !this.#isMeant(order)) throw SignatureInvalid({ keyid: order.signature.keyid });
    this.#request = request;
    this.#done = new Map();
    this.#tries = 0;
    this.#spentMs = 0;
    this.#powerMode = this.parts.powerMode();
  }

  /** Times what is left while nothing else is to do; comes back at the first thing that is. */
  async work(signal: AbortSignal): Promise<void> {
    while (this.#request && !signal.aborted) {
      const request = this.#request;
      const step = nextTiming(request, this.#facts(), this.parts.now());
      if (step.kind === 'wait') return this.parts.log.debug({ reason: step.reason }, 'networks are timed later');
      if (step.kind === 'finish') return this.#finish(request, step.problem);
      const isDone = await this.#time(request, step, signal).catch((error: Error) => {
        if (signal.aborted) return false;
        return this.#finish(request, errorBody(error).message) ?? false;
      });
      if (!isDone) return;
    }
  }

  #isMeant({ request, signature }: TimingOrder): boolean {
    return request.deviceId === this.parts.deviceId() && isSignatureOf(request, signature, this.parts.artifactKeys());
  }

  #facts(): TimingFacts {
    const { load, updating } = this.parts;
    return {
      ...{ updating: updating(), lastRequestMs: load().lastMs },
      ...{ done: this.#done, tries: this.#tries, spentMs: this.#spentMs },
    };
  }

  /** False when a request came in between, and the network must be timed again. */
  async #time(
    { sessionOptions, runs, limitS, networks, classes }: TimingRequest,
    { sha256, bytes, profiled }: { sha256: string; bytes: number; profiled: boolean },
    signal: AbortSignal,
  ): Promise<boolean> {
    const file = await this.#fetch(sha256, bytes, signal);
    const busy = new AbortController();
    const { requests } = this.parts.load();
    const watch = setInterval(() => {
      if (this.parts.load().requests > requests || this.parts.updating()) busy.abort();
    }, WATCH_MS);
    const startedMs = performance.now();
    try {
      const limitMs = (1000 * limitS) / networks.length;
      const task = { file, sha256, profiled, sessionOptions, runs, limitMs };
      const times = await timeInChild(task, AbortSignal.any([signal, busy.signal]));
      if (classes.includes(times.class)) this.#done.set(sha256, times);
      else this.#tries++;
      return true;
    } catch (error) {
      if (busy.signal.aborted) return false;
      throw error;
    } finally {
      clearInterval(watch);
      this.#spentMs += performance.now() - startedMs;
    }
  }

  /** @throws ESP_DIGEST_MISMATCH */
  async #fetch(sha256: string, bytes: number, signal: AbortSignal): Promise<string> {
    mkdirSync(this.parts.folder, { recursive: true });
    const file = path.join(this.parts.folder, sha256);
    await this.parts.download(sha256, bytes, file, signal);
    const found = await hashFile(file, signal);
    if (found === sha256) return file;
    rmSync(file);
    throw DigestMismatch({ file: sha256, wanted: sha256, found });
  }

  #finish(request: TimingRequest, problem: string | null): void {
    const { now, soc, report, powerMode, folder } = this.parts;
    // Half of the networks in one power mode and half in another is a table of neither.
    const changed = powerMode() === this.#powerMode ? null : 'the power mode changed meanwhile';
    const cause = problem ?? changed;
    report({
      ...{ requestId: request.id, networks: [...this.#done.values()], deviceSeconds: this.#spentMs / 1000 },
      runtime: {
        ...{ adapter: 'onnxruntime', version: onnxRuntimeVersion(), soc, powerMode: this.#powerMode },
        optionsDigest: canonicalDigest(request.sessionOptions),
      },
      error: cause === null ? null : TimingFailed({ sha256: request.id, cause }).toJSON(),
      at: new Date(now()).toISOString(),
    });
    this.#answered = request.id;
    this.#request = null;
    rmSync(folder, { recursive: true, force: true });
  }
}

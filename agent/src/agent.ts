/** The agent of an enrolled device: everything put together, started and stopped. */
import path from 'node:path';
import {
  type CodedError,
  canonicalDigest,
  DesiredState,
  type Facts,
  type SamplingOrder,
  type TimingOrder,
} from '@espalier/proto';
import { type BackoffLimits, fullJitterMs, nextAttempt, sleep } from './common/backoff.js';
import { FlooredClock } from './common/clock.js';
import { readIfThere, writeDurably } from './common/files.js';
import { parseJson } from './common/json.js';
import { lockDataDir } from './common/lock.js';
import type { Log } from './common/log.js';
import type { Notifier } from './common/notify.js';
import type { AgentConfig } from './config.js';
import { readFacts } from './hardware/facts.js';
import { readHost } from './hardware/host.js';
import { download } from './link/download.js';
import { type Identity, loadIdentity, saveIdentity, wantsRenewal } from './link/identity.js';
import { Outbox } from './link/outbox.js';
import { Rpc } from './link/rpc.js';
import { Session } from './link/session.js';
import { Measurer } from './measure/measurer.js';
import { readPowerMode } from './measure/power-mode.js';
import { SampleBox } from './measure/sampling/sample-box.js';
import { SampleSender } from './measure/sampling/sample-sender.js';
import { Sampler } from './measure/sampling/sampler.js';
import { NetworkTimer } from './measure/timing/timer.js';
import { PreparedModels } from './runtime/prepared.js';
import { openEndpoints } from './serve/endpoints.js';
import { keepMemory } from './serve/memory-keeper.js';
import { makeMetrics } from './serve/metrics.js';
import { Serving } from './serve/serving.js';
import { endpointSettings, makeTuner, poolSettings } from './serve/settings.js';
import { SharedMemory } from './serve/shared-memory.js';
import { Store } from './store/store.js';
import { Journal } from './update/journal.js';
import { isOnTrial, resume } from './update/resume.js';
import { parseUpdateWindow } from './update/update-window.js';
import { Updater } from './update/updater.js';

/** Milliseconds in which requests under way are answered before a stop cuts them off. */
const STOP_MS = 5000;
const RENEWAL_CHECK_MS = 3_600_000;
const REVIVAL: BackoffLimits = { baseMs: 250, capMs: 60_000 };
/** A model that served for so long was revived for good. */
const REVIVED_MS = 60_000;

export class Agent {
  readonly #unlock: () => void;
  readonly #outbox: Outbox;
  readonly #store: Store;
  readonly #journal: Journal;
  readonly #serving: Serving;
  readonly #updater: Updater;
  readonly #session: Session;
  readonly #measurer: Measurer;
  readonly #timer: NetworkTimer;
  readonly #sampler: Sampler;
  readonly #sender: SampleSender;
  readonly #clock: FlooredClock;
  #facts: Facts;
  #identity: Identity;
  #rpc: Rpc;
  #revision = -1;
  #endpoint: string | null = null;
  #measureNow: () => void = () => undefined;
  #revivals = { attempt: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(
    private readonly config: AgentConfig,
    private readonly log: Log,
    private readonly notifier: Notifier,
  ) {
    const { dataDir } = config;
    // Before anything else: opening the journal cuts a torn last line off.
    this.#unlock = lockDataDir(dataDir);
    this.#identity = loadIdentity(dataDir);
    this.#rpc = new Rpc(this.#identity);
    this.#facts = readFacts();
    this.#clock = new FlooredClock(path.join(dataDir, 'clock'), Date.now);
    this.#outbox = new Outbox(path.join(dataDir, 'outbox'), log);
    this.#store = new Store(path.join(dataDir, 'store'));
    this.#journal = new Journal(path.join(dataDir, 'journal'), this.#clock.now);
    this.#serving = new Serving(
      poolSettings(config),
      makeTuner(config, path.join(dataDir, 'plans'), this.#facts.cpu, log, 1000 * config.tuneAfterS),
      { log, prepared: new PreparedModels(path.join(dataDir, 'prepared'), this.#facts.cpu) },
    );
    this.#measurer = new Measurer({
      ...{ serving: this.#serving, now: this.#clock.now, soc: this.#facts.soc },
      slotOf: this.#store.slot,
      report: (message) => this.#outbox.add('measurement', message),
    });
    this.#timer = new NetworkTimer(this.#timerParts());
    const box = new SampleBox(path.join(dataDir, 'samples'), config.reserveBytes);
    this.#sampler = new Sampler(this.#samplerParts(box));
    this.#serving.onAnswered = (...answered) => this.#sampler.offer(...answered);
    this.#sender = new SampleSender({
      ...{ box, sampler: this.#sampler, log, now: this.#clock.now, random: Math.random },
      ...{ intervalMs: 1000 * config.pollIntervalS, upload: (sealed) => this.#rpc.uploadSample(sealed) },
    });
    this.#session = new Session({
      ...{ identity: () => this.#identity, outbox: this.#outbox, bootId: this.#facts.bootId, log, random: Math.random },
      onDesired: (document) => this.#receive(document),
      onConnected: () => {
        this.#reportServing(null);
        this.#sender.wake();
      },
    });
    this.#updater = new Updater(this.#updaterParts());
  }

  /** Runs until the signal; resolves when everything is closed. */
  async run(signal: AbortSignal): Promise<void> {
    const metrics = makeMetrics(this.#serving, () => this.#outbox.length);
    const { serving, config, log } = { serving: this.#serving, config: this.config, log: this.log };
    const parts = { serving, metrics, memory: new SharedMemory(), maxBodyBytes: config.maxBodyBytes, log };
    const endpoints = await openEndpoints({ ...parts, now: () => performance.now() }, endpointSettings(config));
    this.#endpoint = `http://${config.host}:${endpoints.port}`;
    this.log.info({ endpoint: this.#endpoint, deviceId: this.#identity.deviceId }, 'serving');
    this.#serving.onChanged = () => {
      this.#reportServing(null);
      this.#measureNow();
    };
    this.#serving.onLost = (cause) => void this.#revive(cause, signal);
    await this.#resume();
    this.notifier.ready(`serving on ${this.#endpoint}`);
    const forget = keepMemory(serving, log, () => performance.now());
    const unwatch = this.notifier.watch(() => this.#isWell());
    // After the model serves again, and before the first measuring window: reading the host starts processes.
    this.#facts = { ...this.#facts, host: await readHost(this.config.dataDir) };
    this.#reportFacts();
    await Promise.all([
      this.#session.hold(signal),
      this.#updater.run(signal),
      this.#poll(signal),
      this.#measure(signal),
      this.#renew(signal),
      this.#sender.run(signal),
    ]);
    unwatch();
    forget();
    this.notifier.stopping();
    await endpoints.close(STOP_MS);
    this.#sampler.close();
    await this.#serving.close();
    this.#rpc.close();
    this.#journal.close();
    this.#unlock();
  }

  #timerParts(): ConstructorParameters<typeof NetworkTimer>[0] {
    const serving = this.#serving;
    return {
      ...{ folder: path.join(this.config.dataDir, 'timing'), log: this.log, now: this.#clock.now },
      ...{ soc: this.#facts.soc ?? this.#facts.cpu.model, powerMode: readPowerMode },
      deviceId: () => this.#identity.deviceId,
      artifactKeys: () => this.#identity.artifactKeys,
      load: () => ({ requests: serving.requests, lastMs: serving.served?.pool.statistics.lastMs ?? 0 }),
      updating: () => this.#journal.state.execution !== null,
      download: (sha256, bytes, file, signal) =>
        download({ sha256, bytes, file, signal, rpc: () => this.#rpc, random: Math.random }),
      report: (message) => this.#outbox.add('timing', message),
    };
  }

  #samplerParts(box: SampleBox): ConstructorParameters<typeof Sampler>[0] {
    return {
      ...{ box, log: this.log, now: this.#clock.now, random: Math.random },
      deviceId: () => this.#identity.deviceId,
      artifactKeys: () => this.#identity.artifactKeys,
      isForbidden: this.config.samples === 'never',
      onKept: () => this.#sender.wake(),
    };
  }

  #updaterParts(): ConstructorParameters<typeof Updater>[0] {
    const { config, log } = this;
    return {
      ...{ store: this.#store, journal: this.#journal, serving: this.#serving, log, random: Math.random },
      ...{ now: this.#clock.now, reserveBytes: config.reserveBytes },
      ...{ selfTestLimitMs: config.selfTestLimitS * 1000, healthWindowMs: config.healthWindowS * 1000 },
      rpc: () => this.#rpc,
      adapters: () => new Set(this.#facts.runtimes.map(({ adapter }) => adapter)),
      artifactKeys: () => this.#identity.artifactKeys,
      report: (message) => this.#outbox.add('execution', message),
      window: config.updateWindow === undefined ? null : parseUpdateWindow(config.updateWindow),
      onDegraded: (error) => this.#reportServing(error),
      onEntered: (state) => {
        if (config.fault === `kill:${state}`) process.kill(process.pid, 'SIGKILL');
      },
    };
  }

  /** Serves what was served before; a device that cannot says so and goes on listening for something better. */
  async #resume(): Promise<void> {
    if (isOnTrial(this.#journal.state.execution)) return;
    await resume(this.#store, this.#serving, this.log).catch((error: CodedError) => this.#reportServing(error));
  }

  /** Opens a model again whose thread ended; the slower, the more often it does. */
  async #revive(cause: CodedError, signal: AbortSignal): Promise<void> {
    this.log.error({ error: cause.message }, 'the model is opened again');
    this.#reportServing(cause);
    const { attempt, atMs } = this.#revivals;
    this.#revivals = { attempt: nextAttempt(attempt, performance.now() - atMs, REVIVED_MS), atMs: performance.now() };
    await sleep(fullJitterMs(this.#revivals.attempt, REVIVAL, Math.random), signal).catch(() => undefined);
    if (!signal.aborted && !this.#serving.healthy) await this.#resume();
  }

  #receive(document: Uint8Array): void {
    const parsed = DesiredState.safeParse(parseJson(document));
    if (!parsed.success) {
      this.log.warn({ problem: parsed.error.issues[0]?.message }, 'a desired state was not understood');
      return;
    }
    if (parsed.data.deviceId !== this.#identity.deviceId || parsed.data.revision < this.#revision) return;
    this.#revision = parsed.data.revision;
    this.#clock.learn(Math.min(Date.now(), Date.parse(parsed.data.issuedAt)));
    this.#updater.want(parsed.data);
    this.#wantTiming(parsed.data.timing ?? null);
    this.#wantSamples(parsed.data.sampling ?? null);
  }

  #wantSamples(order: SamplingOrder | null): void {
    try {
      this.#sampler.want(order);
    } catch (error) {
      this.log.warn({ error: (error as Error).message }, 'an order to sample inputs was refused');
    }
  }

  #wantTiming(order: TimingOrder | null): void {
    try {
      this.#timer.want(order);
      if (order) this.#measureNow();
    } catch (error) {
      this.log.warn({ error: (error as Error).message }, 'an order to time networks was refused');
    }
  }

  /** Asks over gRPC at start and while MQTT is down, and empties the outbox the same way. */
  async #poll(signal: AbortSignal): Promise<void> {
    for (let first = true; !signal.aborted; first = false) {
      if (first || !this.#session.connected) {
        await this.#exchange().catch((error: Error) => this.log.debug({ error: error.message }, 'polling failed'));
      }
      await sleep(this.config.pollIntervalS * 1000 * (0.75 + Math.random() / 2), signal).catch(() => undefined);
    }
  }

  async #exchange(): Promise<void> {
    const document = await this.#rpc.desiredState(this.#revision);
    if (document) this.#receive(document);
    const pending = this.#outbox.pending().slice(0, 100);
    if (pending.length > 0 && !this.#session.connected)
      this.#outbox.acknowledge(await this.#rpc.upload(pending.map(({ text }) => text)));
  }

  async #measure(signal: AbortSignal): Promise<void> {
    for (let sinceMs = this.#clock.now(); !signal.aborted; sinceMs = this.#clock.now()) {
      await this.#measurer
        .measure(sinceMs)
        .catch((error: Error) => this.log.warn({ error: error.message }, 'measuring failed'));
      await this.#timer
        .work(signal)
        .catch((error: Error) => this.log.warn({ error: error.message }, 'timing networks failed'));
      const asked = new Promise<void>((resolve) => (this.#measureNow = resolve));
      const rest = new AbortController();
      const interval = sleep(this.config.measureIntervalS * 1000, AbortSignal.any([signal, rest.signal])).catch(
        () => undefined,
      );
      await Promise.race([asked, interval]);
      rest.abort();
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (wantsRenewal(this.#identity.certificatePem, this.#clock.now())) {
        await this.#renewNow().catch((error: Error) =>
          this.log.warn({ error: error.message }, 'renewing the certificate failed'),
        );
      }
      await sleep(RENEWAL_CHECK_MS, signal).catch(() => undefined);
    }
  }

  async #renewNow(): Promise<void> {
    const identity = { ...this.#identity, ...(await this.#rpc.renew()) };
    saveIdentity(this.config.dataDir, identity);
    this.#identity = identity;
    this.#rpc.close();
    this.#rpc = new Rpc(this.#identity);
    this.log.info('the certificate was renewed');
  }

  /** Facts go out when they differ from those the controller has; sources and host noise do not count. */
  #reportFacts(): void {
    const file = path.join(this.config.dataDir, 'facts.digest');
    const digest = canonicalDigest({ ...this.#facts, sources: {} });
    if (readIfThere(file) === digest) return;
    this.#outbox.add('facts', this.#facts);
    writeDurably(file, digest);
  }

  #reportServing(error: CodedError | null): void {
    const { served, healthy } = this.#serving;
    this.#outbox.add('serving', {
      ...{ digest: served?.digest ?? null, previousDigest: this.#store.read('previous'), model: served?.name ?? null },
      // A device that has no model yet is well; it has just nothing to serve.
      ...{
        healthy: (healthy || served === null) && error === null,
        endpoint: this.#endpoint,
        error: error?.toJSON() ?? null,
      },
      at: new Date(this.#clock.now()).toISOString(),
    });
  }

  /** A device without a model is well; one whose worker does not answer is not. */
  async #isWell(): Promise<boolean> {
    await this.#serving.served?.pool.ping();
    return true;
  }
}

import type { Clock } from '../common/clock.js';
import type { DeviceLatency, MeasurementService } from '../devices/measurement.service.js';
import type { ModelService } from '../models/model.service.js';
import type { DecisionEntity } from '../reoptimize/decision.entity.js';
import type { DecisionRepository } from '../reoptimize/decision.repository.js';
import { LOOP_LIMITS } from '../reoptimize/loop.types.js';
import type { Until } from './until.js';

/** The budget: this share of the float build's p95, so that float misses it. */
const BUDGET_SHARE = 0.9;
/** So long only windows that can be trusted count; then any, and its class is said. */
const TRUST_MS = 60_000;
/** Budgets that are set anew where the machine's own pace, not the build, decided a canary. */
const RETRIES = 3;

/** A budget within this factor of float's present pace stays. */
const PACE_CHANGE = 1.1;
/** Decisions behind which no build is on its way to the device yet. */
const UNDECIDED = ['build', 'measure'];

/** Decisions after which nothing more comes by itself. */
const ENDS = ['promoted', 'rolled-back', 'rejected', 'offered', 'nothing-left'];

export interface SampleLoopParts {
  readonly models: ModelService;
  readonly measurements: MeasurementService;
  readonly decisions: DecisionRepository;
  readonly clock: Clock;
  readonly until: Until;
  readonly say: (text: string) => void;
}

interface Subject {
  readonly modelId: string;
  readonly deviceId: string;
  readonly profile: string;
  readonly floatDigest: string;
}

export interface Conclusion {
  readonly float: DeviceLatency;
  readonly end: DecisionEntity;
}

/**
 * Sets a budget that float misses and waits for what the closed loop makes of it. The sample's machine builds, serves and
 * measures at once, and may change its pace by half from one minute to the next: a budget from one pace says nothing of a
 * build measured at another, so it follows float.
 */
export class SampleLoop {
  constructor(private readonly parts: SampleLoopParts) {}

  /** What the device measured since then: at least as many samples as the closed loop asks for. */
  measured(deviceId: string, digest: string, sinceMs: number): Promise<DeviceLatency> {
    const { clock, until } = this.parts;
    const trustedUntilMs = clock.now().getTime() + TRUST_MS;
    return until('the device measured it', async () => {
      const latency = await this.#latest(deviceId, digest, sinceMs);
      if (!latency || latency.p95Us === null || latency.n < LOOP_LIMITS.samplesMin) return null;
      return isTrusted(latency) || clock.now().getTime() > trustedUntilMs ? latency : null;
    });
  }

  /** @param first what float measured so far */
  async conclude(subject: Subject, first: DeviceLatency, sinceMs: number): Promise<Conclusion> {
    const { clock, say } = this.parts;
    let [measured, fromMs] = [first, sinceMs];
    for (let retriesLeft = RETRIES; ; retriesLeft--) {
      await this.#setBudget(subject.modelId, measured);
      const concluded = await this.#end(subject, measured, fromMs);
      if (retriesLeft === 0 || !isPaceOf(concluded.end)) return concluded;
      say(`int8 missed the budget on the device; float is measured again, at the pace that the machine has now`);
      fromMs = clock.now().getTime();
      measured = await this.measured(subject.deviceId, subject.floatDigest, fromMs);
    }
  }

  #end(subject: Subject, measured: DeviceLatency, sinceMs: number): Promise<Conclusion> {
    const { decisions, until } = this.parts;
    let float = measured;
    return until('the closed loop comes to a result', async () => {
      const [latest] = await decisions.of(subject.modelId, subject.profile, new Date(sinceMs));
      if (!latest || UNDECIDED.includes(latest.action)) float = (await this.#followFloat(subject, sinceMs)) ?? float;
      return latest && ENDS.includes(latest.action) ? { float, end: latest } : null;
    });
  }

  /**
   * While no canary is decided, the budget is of float's present pace: one of a slower moment is met by float itself, and
   * one of a faster moment is out of int8's reach.
   * @returns float where the budget followed it
   */
  async #followFloat({ modelId, deviceId, floatDigest }: Subject, sinceMs: number): Promise<DeviceLatency | null> {
    const { models, say } = this.parts;
    const { budget } = await models.get(modelId);
    // The newest, as the loop reads them: a summary would prefer an older one of a better class.
    const windows = await this.parts.measurements.windows(queryOf(deviceId, floatDigest, sinceMs));
    const latency = windows.find(isTrusted);
    if (!latency?.p95Us || isNear(latency.p95Us * BUDGET_SHARE, budget.p95Us ?? 0)) return null;
    say(`float measured again: p95 ${latency.p95Us} us (${latency.class}); the budget follows`);
    await this.#setBudget(modelId, latency);
    return { ...latency, measuredAt: latency.endedAt };
  }

  async #latest(deviceId: string, digest: string, sinceMs: number): Promise<DeviceLatency | undefined> {
    return (await this.parts.measurements.summary(queryOf(deviceId, digest, sinceMs)))[0];
  }

  async #setBudget(modelId: string, float: Pick<DeviceLatency, 'p95Us'>): Promise<void> {
    const p95Us = Math.max(1, Math.round(float.p95Us! * BUDGET_SHARE));
    await this.parts.models.update(modelId, {
      budget: { maxAccuracyDrop: 1, p95Us, maxSizeBytes: null },
      autoOptimize: true,
      // Controller, builds and device share this machine, so no window is the device's alone.
      trustContended: true,
    });
  }
}

const queryOf = (deviceId: string, digest: string, sinceMs: number) => ({
  ...{ deviceIds: [deviceId], digest, since: new Date(sinceMs), scenario: 'single-stream' },
});

const isNear = (a: number, b: number): boolean => a <= b * PACE_CHANGE && b <= a * PACE_CHANGE;

const isTrusted = ({ class: kind }: Pick<DeviceLatency, 'class'>): boolean => kind === 'clean' || kind === 'contended';

/** A canary that was stopped by its latency alone. */
const isPaceOf = ({ action, reason }: DecisionEntity): boolean =>
  action === 'rolled-back' && reason.startsWith('GATE_BLOCKED: p95');

import { errorBody, type Recipe } from '@espalier/proto';
import type { OutlookView } from '@espalier/proto/api';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { newId } from '../common/ids.js';
import { Periodic } from '../common/periodic.js';
import type { ModelEntity } from '../models/model.entity.js';
import { RolloutService } from '../rollouts/rollout.service.js';
import { PlanHandler } from '../timing/plan-handler.js';
import { VariantService } from '../variants/variant.service.js';
import { DecisionRepository } from './decision.repository.js';
import { DecisionLog, type NewDecision } from './decision-log.js';
import type { Action } from './loop.types.js';
import { LoopReader } from './loop-reader.js';
import { nextProposal } from './next-proposal.js';
import { RolloutJudge } from './rollout-judge.js';
import type { Subject } from './subjects.js';
import { WHO } from './who.js';

const TICK_MS = 5000;
/** Longer than a tick takes; a controller that dies in one holds the next up for no more than this. */
const LEASE_MS = 15_000;

/** After an error. */
const HOLD_MS = 60_000;

/** One device first, then the rest; each must measure within the budget. */
const GROUPS = [
  { name: 'canary', percent: 10, successThreshold: 100, errorThreshold: 20, soakSeconds: 10 },
  { name: 'rest', percent: 100, successThreshold: 95, errorThreshold: 20, soakSeconds: 0 },
];

/** Keeps budgets by itself: reads what is measured, asks nextProposal, does it, and stores why. */
@Injectable()
export class LoopService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(LoopService.name);
  readonly #heldUntil = new Map<string, number>();
  readonly #timer = new Periodic(
    TICK_MS,
    (signal) => this.tick(signal),
    (error) => this.#logger.error(error),
  );

  constructor(
    private readonly reader: LoopReader,
    private readonly judge: RolloutJudge,
    private readonly variants: VariantService,
    private readonly rollouts: RolloutService,
    private readonly decisions: DecisionRepository,
    private readonly log: DecisionLog,
    private readonly plans: PlanHandler,
    private readonly clock: Clock,
    private readonly events: DomainEvents,
  ) {}

  onApplicationBootstrap(): void {
    for (const type of ['measurement', 'job', 'rollout'] as const) this.events.on(type, () => this.wake());
    this.#timer.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#timer.stop();
  }

  wake(): void {
    this.#timer.wake();
  }

  /** Judges the rollouts it began, then looks at every model and profile. One controller at a time. */
  async tick(signal: AbortSignal): Promise<void> {
    if (!(await this.decisions.lease(this.clock.now(), LEASE_MS))) return;
    try {
      await this.judge.judgeAll();
      await this.plans.settleAll();
      for (const subject of await this.reader.subjects()) {
        signal.throwIfAborted();
        await this.#decide(subject);
      }
    } finally {
      await this.decisions.release();
    }
  }

  /** What goes wrong with one model on one profile holds up no other. */
  async #decide(subject: Subject): Promise<void> {
    const { model, profile } = subject;
    const key = `${model.id} ${profile}`;
    const now = this.clock.now().getTime();
    if (!model.autoOptimize || now < (this.#heldUntil.get(key) ?? 0)) return;
    try {
      const proposal = nextProposal(await this.reader.read(subject), now);
      if (proposal.kind !== 'wait') await this.#act(subject, proposal);
    } catch (error) {
      this.#heldUntil.set(key, now + HOLD_MS);
      this.#logger.error(`${model.name} on ${profile}: ${errorBody(error).message}`);
    }
  }

  /** What it would do now, or waits for; nothing is done. */
  async outlook(modelId?: string): Promise<OutlookView[]> {
    const subjects = (await this.reader.subjects()).filter(({ model }) => !modelId || model.id === modelId);
    const views: OutlookView[] = [];
    for (const subject of subjects) {
      const { model, profile } = subject;
      const { kind, reason } = nextProposal(await this.reader.read(subject), this.clock.now().getTime());
      views.push({ modelId: model.id, model: `${model.name} ${model.version}`, profile, kind, reason });
    }
    return views;
  }

  async #act(subject: Subject, action: Action): Promise<void> {
    const { model, profile } = subject;
    const { kind, recipe, trigger, reason, numbers, skipped } = action;
    const told: NewDecision = { modelId: model.id, profile, action: kind, recipe, trigger, reason, numbers, skipped };
    switch (action.kind) {
      case 'build':
        return this.log.add({ ...told, ...(await this.#build(subject, action.recipe)) });
      case 'rollout':
        return this.#rollOut(subject, action, { ...told, variantId: action.variantId });
      case 'measure':
        return this.log.add({ ...told, jobId: await this.plans.planTable(model.id, profile, WHO) });
      case 'try':
        await this.log.add({ ...told, variantId: action.variantId });
        return this.plans.planTrial(await this.variants.get(action.variantId));
      default:
        return this.log.add({ ...told, variantId: action.variantId });
    }
  }

  async #build({ model, profile }: Subject, recipe: Recipe) {
    const request = { profiles: [profile], recipes: [recipe], requestedBy: WHO };
    const [variant] = await this.variants.optimize(model.id, request);
    return { jobId: variant?.jobId ?? null, variantId: variant?.id ?? null };
  }

  /** Noted before it is there; one that was noted by a controller that died then is made now, under the same ids. */
  async #rollOut(
    { model, profile, status }: Subject,
    { variantId, recipe }: { variantId: string; recipe: string },
    told: NewDecision,
  ) {
    const noted = await this.#unmade(model, profile, variantId);
    const [decisionId, id] = noted ?? [newId('dec'), newId('rol')];
    if (!noted) await this.log.add({ ...told, id: decisionId, rolloutId: id });
    try {
      await this.rollouts.create({
        ...{ id, decisionId, modelId: model.id, variantIds: [variantId], groups: GROUPS, start: true, createdBy: WHO },
        name: `${model.name} ${model.version}: ${recipe} for ${profile}`,
        filter: `profile:${profile}`,
        deviceIds: status?.deviceIds ?? [],
        gate: { p95Us: model.budget.p95Us, maxRegression: null, minDevices: 1 },
      });
    } catch (error) {
      const reason = `it could not be rolled out: ${errorBody(error).message}`;
      await this.log.add({ ...told, action: 'rejected', reason });
    }
  }

  /** Ids of the newest decision, if it is about this rollout and the rollout is not there. */
  async #unmade({ id, budgetChangedAt }: ModelEntity, profile: string, variantId: string) {
    const [newest] = await this.decisions.of(id, profile, budgetChangedAt);
    if (newest?.action !== 'rollout' || newest.variantId !== variantId || newest.rolloutId === null) return null;
    return (await this.rollouts.find(newest.rolloutId)) ? null : ([newest.id, newest.rolloutId] as const);
  }
}

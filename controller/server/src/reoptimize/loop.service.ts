import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import { Periodic } from '../common/periodic.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { type BudgetStatus, BudgetStatuses } from '../fleet/budget-status.js';
import { JobService } from '../jobs/job.service.js';
import type { RolloutEntity } from '../rollouts/rollout.entity.js';
import { RolloutRepository } from '../rollouts/rollout.repository.js';
import { RolloutService } from '../rollouts/rollout.service.js';
import { GATE_SCENARIO } from '../rollouts/rollout-ticker.js';
import { VariantService } from '../variants/variant.service.js';
import type { DecisionEntity } from './decision.entity.js';
import { DecisionRepository } from './decision.repository.js';
import { judgeRollout } from './judge-rollout.js';
import type { LoopInput, Proposal } from './loop.types.js';
import { nextProposal } from './next-proposal.js';
import { type LoopRows, readLoopInput, trustedP95 } from './read-loop-input.js';

const TICK_MS = 5000;
/** Longer than a tick takes; a controller that dies in one holds the next up for no more than this. */
const LEASE_MS = 15_000;
const WHO = 'closed loop';

/** One device first, then the rest; each must measure within the budget. */
const GROUPS = [
  { name: 'canary', percent: 10, successThreshold: 100, errorThreshold: 20, soakSeconds: 10 },
  { name: 'rest', percent: 100, successThreshold: 95, errorThreshold: 20, soakSeconds: 0 },
];

/** Keeps budgets by itself: reads what is measured, asks nextProposal, does it, and stores why. */
@Injectable()
export class LoopService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(LoopService.name);
  readonly #timer = new Periodic(
    TICK_MS,
    (signal) => this.tick(signal),
    (error) => this.#logger.error(error),
  );

  constructor(
    private readonly budgets: BudgetStatuses,
    private readonly variants: VariantService,
    private readonly jobs: JobService,
    private readonly rollouts: RolloutService,
    private readonly rolloutRows: RolloutRepository,
    private readonly measurements: MeasurementService,
    private readonly decisions: DecisionRepository,
    private readonly clock: Clock,
    private readonly bus: EventBus,
    private readonly events: DomainEvents,
  ) {}

  onApplicationBootstrap(): void {
    for (const type of ['measurement', 'job', 'rollout'] as const) this.events.on(type, () => this.#timer.wake());
    this.#timer.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#timer.stop();
  }

  /** Judges the rollouts it began, then looks at every model and profile that is served. One controller at a time. */
  async tick(signal: AbortSignal): Promise<void> {
    if (!(await this.decisions.lease(this.clock.now(), LEASE_MS))) return;
    try {
      await this.#decide(signal);
    } finally {
      await this.decisions.release();
    }
  }

  async #decide(signal: AbortSignal): Promise<void> {
    for (const decision of await this.decisions.unjudged()) await this.#judge(decision);
    for (const status of await this.budgets.read()) {
      signal.throwIfAborted();
      if (!status.model.autoOptimize || status.model.budget.p95Us === null) continue;
      const proposal = nextProposal(readLoopInput(await this.#read(status)), this.clock.now().getTime());
      await this.#act(status, proposal);
    }
  }

  async #read(status: BudgetStatus): Promise<LoopRows> {
    const { model, profile } = status;
    const variants = (await this.variants.list(model.id)).filter((variant) => variant.profile === profile);
    const digests = new Set(variants.map(({ digest }) => digest));
    const latencies = await this.measurements.summary({ profile, scenario: GATE_SCENARIO });
    const measuredP95Us = trustedP95(latencies.filter(({ digest }) => digests.has(digest)));
    const decisions = await this.decisions.of(model.id, profile, model.budgetChangedAt);
    return { status, variants, measuredP95Us, decisions, busy: await this.#busy(status) };
  }

  /** Work for this model and profile, whoever began it: one thing at a time. */
  async #busy({ model, profile }: BudgetStatus): Promise<LoopInput['busy']> {
    if (await this.jobs.isBusy(model.id, profile)) return 'job';
    const open = await this.rolloutRows.open(model.id);
    if (open.length === 0) return null;
    const executions = await this.rolloutRows.executions(open.map(({ id }) => id));
    return executions.some((execution) => execution.profile === profile) ? 'rollout' : null;
  }

  async #act(status: BudgetStatus, proposal: Proposal): Promise<void> {
    const { model, profile } = status;
    if (proposal.kind === 'wait') return;
    if (proposal.kind === 'build') {
      const request = { profiles: [profile], recipes: [proposal.recipe], requestedBy: WHO };
      const [variant] = await this.variants.optimize(model.id, request);
      await this.#store(status, proposal, { jobId: variant?.jobId ?? null, variantId: variant?.id ?? null });
      return;
    }
    if (proposal.kind !== 'rollout') return this.#store(status, proposal, { variantId: proposal.variantId });
    const id = newId('dec');
    const rolloutId = await this.rollouts.create({
      ...{ modelId: model.id, variantIds: [proposal.variantId], groups: GROUPS, start: true, createdBy: WHO },
      name: `${model.name} ${model.version}: ${proposal.recipe} for ${profile}`,
      filter: `profile:${profile}`,
      deviceIds: status.deviceIds,
      gate: { p95Us: model.budget.p95Us, maxRegression: null, minDevices: 1 },
      decisionId: id,
    });
    await this.#store(status, proposal, { id, variantId: proposal.variantId, rolloutId });
  }

  async #store(
    { model, profile }: Pick<BudgetStatus, 'profile'> & { model: { id: string } },
    { kind, recipe, reason, numbers }: Exclude<Proposal, { kind: 'wait' }>,
    links: Partial<DecisionEntity>,
  ): Promise<void> {
    await this.#insert({ modelId: model.id, profile, action: kind, recipe, reason, numbers, ...links });
  }

  async #insert(
    decision: Omit<DecisionEntity, 'id' | 'at' | 'jobId' | 'variantId' | 'rolloutId'> & Partial<DecisionEntity>,
  ) {
    const row = { id: newId('dec'), jobId: null, variantId: null, rolloutId: null, ...decision, at: this.clock.now() };
    await this.decisions.insert(row);
    this.bus.emit('decision', row.id);
    this.#logger.log(`${row.action} for ${row.profile}: ${row.reason}`);
  }

  /** A rollout that ended, or paused by its own gates, becomes a verdict on its variant. */
  async #judge(decision: DecisionEntity): Promise<void> {
    const rollout = await this.rolloutRows.find(decision.rolloutId!);
    if (!rollout) return;
    const verdict = judgeRollout(rollout);
    if (verdict.kind === 'wait') return;
    // Asked before it is noted: a kill between them leaves a rollout that is rolled back and gets its verdict then.
    if (verdict.kind === 'rolled-back' && verdict.command)
      await this.rollouts.rollback(rollout.id, WHO, verdict.reason);
    const { modelId, profile, recipe, variantId, rolloutId } = decision;
    const newP95Us = await this.#newP95(rollout, variantId);
    const measured =
      newP95Us === null ? '' : `; p95 is now ${newP95Us} us, the budget ${decision.numbers.budgetP95Us} us`;
    await this.#insert({
      ...{ modelId, profile, recipe, variantId, rolloutId, action: verdict.kind },
      reason: verdict.reason + measured,
      numbers: { ...decision.numbers, newP95Us },
    });
  }

  /** The worst p95 that the devices of the rollout measured of the new variant since it began. */
  async #newP95({ id, createdAt }: RolloutEntity, variantId: string | null): Promise<number | null> {
    const executions = await this.rolloutRows.executions([id]);
    const digest = executions.find((execution) => execution.variantId === variantId)?.digest;
    if (!digest) return null;
    const deviceIds = executions.map((execution) => execution.deviceId);
    const query = { digest, deviceIds, since: createdAt, scenario: GATE_SCENARIO };
    return Math.max(...(await this.measurements.summary(query)).map(({ p95Us }) => p95Us ?? 0), 0) || null;
  }
}

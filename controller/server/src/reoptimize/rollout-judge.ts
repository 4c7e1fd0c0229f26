import { Injectable } from '@nestjs/common';
import { MeasurementService } from '../devices/measurement.service.js';
import type { RolloutEntity } from '../rollouts/rollout.entity.js';
import { RolloutRepository } from '../rollouts/rollout.repository.js';
import { RolloutService } from '../rollouts/rollout.service.js';
import { GATE_SCENARIO } from '../rollouts/rollout-ticker.js';
import type { DecisionEntity } from './decision.entity.js';
import { DecisionRepository } from './decision.repository.js';
import { DecisionLog } from './decision-log.js';
import { judgeRollout } from './judge-rollout.js';
import { WHO } from './who.js';

/** Ends what the loop began: a rollout that ended, or paused by its own gates, becomes a verdict on its variant. */
@Injectable()
export class RolloutJudge {
  constructor(
    private readonly decisions: DecisionRepository,
    private readonly log: DecisionLog,
    private readonly rollouts: RolloutService,
    private readonly rows: RolloutRepository,
    private readonly measurements: MeasurementService,
  ) {}

  async judgeAll(): Promise<void> {
    for (const decision of await this.decisions.unjudged()) await this.#judge(decision);
  }

  async #judge(decision: DecisionEntity): Promise<void> {
    const rollout = await this.rows.find(decision.rolloutId!);
    if (!rollout) return;
    const verdict = judgeRollout(rollout);
    if (verdict.kind === 'wait') return;
    // Asked before it is noted: a kill between them leaves a rollout that is rolled back and gets its verdict then.
    if (verdict.kind === 'rolled-back' && verdict.command)
      await this.rollouts.rollback(rollout.id, WHO, verdict.reason);
    const { modelId, profile, recipe, variantId, rolloutId, trigger } = decision;
    const newP95Us = await this.#newP95(rollout, variantId);
    const { budgetP95Us } = decision.numbers;
    const measured = newP95Us === null ? '' : `; p95 is now ${newP95Us} us, the budget ${budgetP95Us} us`;
    await this.log.add({
      ...{ modelId, profile, recipe, variantId, rolloutId, trigger, action: verdict.kind },
      reason: verdict.reason + measured,
      numbers: { ...decision.numbers, newP95Us },
    });
  }

  /** The worst p95 that the devices of the rollout measured of the new variant since it began. */
  async #newP95({ id, createdAt }: RolloutEntity, variantId: string | null): Promise<number | null> {
    const executions = await this.rows.executions([id]);
    const digest = executions.find((execution) => execution.variantId === variantId)?.digest;
    if (!digest) return null;
    const deviceIds = executions.map((execution) => execution.deviceId);
    const query = { digest, deviceIds, since: createdAt, scenario: GATE_SCENARIO };
    return Math.max(...(await this.measurements.summary(query)).map(({ p95Us }) => p95Us ?? 0), 0) || null;
  }
}

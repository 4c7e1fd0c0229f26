import { runtimeVersion } from '@espalier/compression/runtime/session';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DatasetService } from '../datasets/dataset.service.js';
import { DeviceService } from '../devices/device.service.js';
import type { Window } from '../devices/measurement.repository.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { BudgetStatuses } from '../fleet/budget-status.js';
import { JobService } from '../jobs/job.service.js';
import { ModelService } from '../models/model.service.js';
import { RolloutRepository } from '../rollouts/rollout.repository.js';
import { GATE_SCENARIO } from '../rollouts/rollout-ticker.js';
import { VariantService } from '../variants/variant.service.js';
import { DecisionRepository } from './decision.repository.js';
import type { LoopInput } from './loop.types.js';
import { LoopSwitches } from './loop-switches.js';
import { readLoopInput, runtimeName, trustedP95 } from './read-loop-input.js';
import { type Subject, subjectsOf } from './subjects.js';
import { TableReader } from './table-reader.js';

const DAY_MS = 24 * 3_600_000;

/** Reads what nextProposal decides on. */
@Injectable()
export class LoopReader {
  constructor(
    private readonly budgets: BudgetStatuses,
    private readonly variants: VariantService,
    private readonly models: ModelService,
    private readonly datasets: DatasetService,
    private readonly devices: DeviceService,
    private readonly jobs: JobService,
    private readonly rollouts: RolloutRepository,
    private readonly measurements: MeasurementService,
    private readonly decisions: DecisionRepository,
    private readonly switches: LoopSwitches,
    private readonly tables: TableReader,
    private readonly clock: Clock,
  ) {}

  async subjects(): Promise<Subject[]> {
    return subjectsOf(await this.budgets.read(), await this.models.list(), await this.devices.find(''));
  }

  async read(subject: Subject): Promise<LoopInput> {
    const { model, profile } = subject;
    const variants = (await this.variants.list(model.id)).filter((variant) => variant.profile === profile);
    const digests = new Set(variants.map(({ digest }) => digest));
    const latencies = await this.measurements.summary({ profile, scenario: GATE_SCENARIO });
    const dayAgo = new Date(this.clock.now().getTime() - DAY_MS);
    return readLoopInput({
      ...{ subject, variants, windows: await this.#windows(subject), busy: await this.#busy(subject) },
      isOff: (await this.switches.off(model.id)).has(profile),
      devices: (await this.devices.find('')).filter((device) => device.profile === profile),
      measuredP95Us: trustedP95(latencies.filter(({ digest }) => digests.has(digest))),
      dataset: model.datasetId === null ? null : await this.datasets.get(model.datasetId),
      models: await this.models.list(),
      ...{ table: await this.tables.read(model.id, profile), trials: await this.tables.trials(model.id, profile) },
      builderRuntime: runtimeName({ adapter: 'onnxruntime', version: runtimeVersion() }),
      decisions: await this.decisions.of(model.id, profile, model.budgetChangedAt),
      buildsToday: await this.decisions.buildsSince(model.id, profile, dayAgo),
    });
  }

  /** Of what serves now, measured while this version of the model is registered. */
  async #windows({ status, model }: Subject): Promise<Window[]> {
    if (!status) return [];
    const { deviceIds, servingDigest: digest } = status;
    return this.measurements.windows({ deviceIds, digest, since: model.createdAt, scenario: GATE_SCENARIO });
  }

  /** Work for this model and profile, whoever began it: one thing at a time. */
  async #busy({ model, profile }: Subject): Promise<LoopInput['busy']> {
    if (await this.jobs.isBusy(model.id, profile)) return 'job';
    const open = await this.rollouts.open(model.id);
    if (open.length === 0) return null;
    const executions = await this.rollouts.executions(open.map(({ id }) => id));
    return executions.some((execution) => execution.profile === profile) ? 'rollout' : null;
  }
}

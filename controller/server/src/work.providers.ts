import { DatasetService } from './datasets/dataset.service.js';
import { DatasetsController } from './datasets/datasets.controller.js';
import { ExecutionSink } from './devices/execution-sink.js';
import { QualitySink } from './devices/quality-sink.js';
import { SampleSink } from './devices/sample-sink.js';
import { TimingSink } from './devices/timing-sink.js';
import { FieldController } from './field/field.controller.js';
import { FieldRepository } from './field/field.repository.js';
import { FieldViews } from './field/field.view.js';
import { FieldDatasets } from './field/field-datasets.js';
import { FieldSamples } from './field/field-samples.js';
import { SampleFiles } from './field/sample-files.js';
import { SampleKey } from './field/sample-key.js';
import { SamplingPolicies } from './field/sampling-policies.js';
import { BudgetStatuses } from './fleet/budget-status.js';
import { FleetController } from './fleet/fleet.controller.js';
import { JobRepository } from './jobs/job.repository.js';
import { JobService } from './jobs/job.service.js';
import { JobRunner } from './jobs/job-runner.js';
import { JobsController } from './jobs/jobs.controller.js';
import { ModelRepository } from './models/model.repository.js';
import { ModelService } from './models/model.service.js';
import { ModelViews } from './models/model.view.js';
import { ModelGroups } from './models/model-groups.js';
import { ModelsController } from './models/models.controller.js';
import { QualityController } from './quality/quality.controller.js';
import { QualityService } from './quality/quality.service.js';
import { DecisionRepository } from './reoptimize/decision.repository.js';
import { DecisionLog } from './reoptimize/decision-log.js';
import { DecisionsController } from './reoptimize/decisions.controller.js';
import { LoopService } from './reoptimize/loop.service.js';
import { LoopReader } from './reoptimize/loop-reader.js';
import { LoopSwitches } from './reoptimize/loop-switches.js';
import { RolloutJudge } from './reoptimize/rollout-judge.js';
import { TableReader } from './reoptimize/table-reader.js';
import { ExecutionReports } from './rollouts/execution-reports.js';
import { OfferService } from './rollouts/offer.service.js';
import { RollbackService } from './rollouts/rollback.service.js';
import { RolloutRepository } from './rollouts/rollout.repository.js';
import { RolloutService } from './rollouts/rollout.service.js';
import { RolloutViews } from './rollouts/rollout.view.js';
import { RolloutTicker } from './rollouts/rollout-ticker.js';
import { RolloutsController } from './rollouts/rollouts.controller.js';
import { StepExecutors } from './rollouts/step-executors.js';
import { SampleController } from './sample/sample.controller.js';
import { SampleService } from './sample/sample.service.js';
import { TableImporter } from './timing/import/importer.js';
import { PlanHandler } from './timing/plan-handler.js';
import { TableSource } from './timing/table-source.js';
import { TablesController } from './timing/tables.controller.js';
import { Tables } from './timing/tables.js';
import { TimingRepository } from './timing/timing.repository.js';
import { TimingService } from './timing/timing.service.js';
import { BuildHandler } from './variants/build-handler.js';
import { ReleaseService } from './variants/release.service.js';
import { VariantRepository } from './variants/variant.repository.js';
import { VariantService } from './variants/variant.service.js';
import { VariantViews } from './variants/variant.view.js';
import { VariantsController } from './variants/variants.controller.js';

export const WORK_CONTROLLERS = [
  ...[DatasetsController, ModelsController, VariantsController, JobsController],
  ...[RolloutsController, DecisionsController, FleetController, SampleController, TablesController],
  ...[QualityController, FieldController],
];

/** Models, their builds, and how these get to devices. */
export const WORK_PROVIDERS = [
  ...[DatasetService, ModelGroups, ModelRepository, ModelService, ModelViews, JobRepository, JobRunner, JobService],
  ...[VariantRepository, VariantService, VariantViews, ReleaseService, BuildHandler],
  ...[RolloutRepository, RolloutService, RolloutViews, RolloutTicker, StepExecutors, OfferService, RollbackService],
  ...[
    { provide: ExecutionSink, useClass: ExecutionReports },
    BudgetStatuses,
    DecisionRepository,
    LoopService,
    LoopReader,
    TableReader,
    LoopSwitches,
    RolloutJudge,
    DecisionLog,
    SampleService,
    ...[TimingRepository, TimingService, PlanHandler, TableImporter, Tables],
    { provide: TimingSink, useExisting: TimingService },
    { provide: TableSource, useExisting: Tables },
    QualityService,
    { provide: QualitySink, useExisting: QualityService },
    ...[FieldRepository, FieldViews, FieldDatasets, FieldSamples, SampleFiles, SampleKey, SamplingPolicies],
    { provide: SampleSink, useExisting: FieldSamples },
  ],
];

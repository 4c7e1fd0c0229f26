import { DatasetEntity } from './datasets/dataset.entity.js';
import { FieldSampleEntity, SamplingPolicyEntity } from './field/field.entity.js';
import { JobEntity } from './jobs/job.entity.js';
import { ModelEntity } from './models/model.entity.js';
import { QualityEntity } from './quality/quality.entity.js';
import { DecisionEntity } from './reoptimize/decision.entity.js';
import { LoopSwitchEntity } from './reoptimize/loop-switch.entity.js';
import { ExecutionEntity, GroupEntity, RolloutEntity } from './rollouts/rollout.entity.js';
import { SampleEntity } from './sample/sample.entity.js';
import { ImportedTableEntity } from './timing/import/imported-table.entity.js';
import { TimingPlanEntity, TimingReportEntity } from './timing/timing.entity.js';
import { ReleaseEntity, VariantEntity } from './variants/variant.entity.js';

/** Tables of the work domains. */
export const WORK_ENTITIES = [
  ModelEntity,
  DatasetEntity,
  VariantEntity,
  ReleaseEntity,
  JobEntity,
  RolloutEntity,
  GroupEntity,
  ExecutionEntity,
  DecisionEntity,
  LoopSwitchEntity,
  SampleEntity,
  TimingPlanEntity,
  TimingReportEntity,
  QualityEntity,
  ImportedTableEntity,
  SamplingPolicyEntity,
  FieldSampleEntity,
];

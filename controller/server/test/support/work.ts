/** The work domains with a real database and artifact store, wired by hand; only the way to devices is recorded. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { artifactDigest, type DesiredState, type ExecutionMessage, type Report } from '@espalier/proto';
import { ArtifactStore } from '@espalier/server/artifacts/artifact-store';
import { ManifestSigner } from '@espalier/server/artifacts/signer';
import { Config, loadConfig } from '@espalier/server/common/config';
import { type OpenDatabase, openDatabase } from '@espalier/server/common/database';
import { DomainEvents } from '@espalier/server/common/domain-events';
import { EventBus } from '@espalier/server/common/events';
import { DatasetService } from '@espalier/server/datasets/dataset.service';
import { DesiredRepository } from '@espalier/server/devices/desired.repository';
import { DesiredService } from '@espalier/server/devices/desired.service';
import { DeviceEntity } from '@espalier/server/devices/device.entity';
import { DeviceRepository } from '@espalier/server/devices/device.repository';
import { DeviceService } from '@espalier/server/devices/device.service';
import { MeasurementEntity } from '@espalier/server/devices/measurement.entity';
import { MeasurementRepository } from '@espalier/server/devices/measurement.repository';
import { MeasurementService } from '@espalier/server/devices/measurement.service';
import { ENTITIES } from '@espalier/server/entities';
import { BudgetStatuses } from '@espalier/server/fleet/budget-status';
import { JobRepository } from '@espalier/server/jobs/job.repository';
import { JobService } from '@espalier/server/jobs/job.service';
import { JobRunner } from '@espalier/server/jobs/job-runner';
import { MIGRATIONS } from '@espalier/server/migrations/index';
import { ModelRepository } from '@espalier/server/models/model.repository';
import { ModelService } from '@espalier/server/models/model.service';
import { DecisionRepository } from '@espalier/server/reoptimize/decision.repository';
import { DecisionLog } from '@espalier/server/reoptimize/decision-log';
import { LoopService } from '@espalier/server/reoptimize/loop.service';
import { LoopReader } from '@espalier/server/reoptimize/loop-reader';
import { LoopSwitches } from '@espalier/server/reoptimize/loop-switches';
import { RolloutJudge } from '@espalier/server/reoptimize/rollout-judge';
import { TableReader } from '@espalier/server/reoptimize/table-reader';
import { ExecutionReports } from '@espalier/server/rollouts/execution-reports';
import { OfferService } from '@espalier/server/rollouts/offer.service';
import { RollbackService } from '@espalier/server/rollouts/rollback.service';
import { RolloutRepository } from '@espalier/server/rollouts/rollout.repository';
import { RolloutService } from '@espalier/server/rollouts/rollout.service';
import { RolloutTicker } from '@espalier/server/rollouts/rollout-ticker';
import { StepExecutors } from '@espalier/server/rollouts/step-executors';
import { TableImporter } from '@espalier/server/timing/import/importer';
import { PlanHandler } from '@espalier/server/timing/plan-handler';
import { Tables } from '@espalier/server/timing/tables';
import { TimingRepository } from '@espalier/server/timing/timing.repository';
import { TimingService } from '@espalier/server/timing/timing.service';
import { BuildHandler } from '@espalier/server/variants/build-handler';
import { ReleaseService } from '@espalier/server/variants/release.service';
import { VariantEntity } from '@espalier/server/variants/variant.entity';
import { VariantRepository } from '@espalier/server/variants/variant.repository';
import { VariantService } from '@espalier/server/variants/variant.service';

export const SAMPLE = path.join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'sample');

/** A clock that a test can move. */
export class TestClock {
  offsetMs = 0;
  now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }
}

export interface Work {
  readonly config: Config;
  readonly database: OpenDatabase;
  readonly clock: TestClock;
  readonly published: Map<string, DesiredState>;
  readonly devices: DeviceService;
  readonly models: ModelService;
  readonly datasets: DatasetService;
  readonly variants: VariantService;
  readonly variantRows: VariantRepository;
  readonly jobs: JobService;
  readonly runner: JobRunner;
  readonly rollouts: RolloutService;
  readonly rolloutRows: RolloutRepository;
  readonly ticker: RolloutTicker;
  readonly reports: ExecutionReports;
  readonly decisions: DecisionRepository;
  readonly switches: LoopSwitches;
  readonly timing: TimingService;
  readonly planner: PlanHandler;
  readonly tables: Tables;
  readonly importer: TableImporter;
  readonly plans: TimingRepository;
  readonly loop: LoopService;
}

export function scratchFolder(t: { teardown(done: () => unknown): void }): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-work-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openWork(dataDir: string): Promise<Work> {
  const config = loadConfig({ flags: { dataDir }, env: {}, file: null, defaultDataDir: dataDir });
  const database = await openDatabase(config, { entities: ENTITIES as never, migrations: MIGRATIONS });
  return wire(config, database, await ManifestSigner.open(config));
}

/** A second set of services on the same database: what a restarted controller has. */
export async function restart(work: Work): Promise<Work> {
  return wire(work.config, work.database, await ManifestSigner.open(work.config));
}

function wire(config: Config, database: OpenDatabase, signer: ManifestSigner): Work {
  const db = database.source;
  const clock = new TestClock();
  const bus = new EventBus(clock);
  const events = new DomainEvents();
  const published = new Map<string, DesiredState>();
  const publisher = {
    publish: async (state: DesiredState) => void published.set(state.deviceId, state),
    forget: async (deviceId: string) => void published.delete(deviceId),
  };
  const store = new ArtifactStore(config);
  const devices = new DeviceService(new DeviceRepository(db), publisher, bus, events, clock);
  const desired = new DesiredService(new DesiredRepository(db), publisher, clock);
  const measurements = new MeasurementService(new MeasurementRepository(db));
  const models = new ModelService(new ModelRepository(db), store, clock, bus);
  const datasets = new DatasetService(db, config, clock, bus);
  const variantRows = new VariantRepository(db);
  const releases = new ReleaseService(variantRows, store, signer, clock);
  const jobRows = new JobRepository(db);
  const runner = new JobRunner(jobRows, clock, bus, events);
  const jobs = new JobService(jobRows, runner, clock, bus);
  const plans = new TimingRepository(db);
  const importer = new TableImporter(db, models, store, clock);
  const tables = new Tables(plans, models, devices, measurements, importer);
  const builds = new BuildHandler(runner, variantRows, models, datasets, releases, store, config, tables, bus);
  builds.onModuleInit();
  const variants = new VariantService(variantRows, models, datasets, devices, jobs, builds, clock, bus);
  const rolloutRows = new RolloutRepository(db);
  const offers = new OfferService(desired, variants, models, releases);
  const executors = new StepExecutors(rolloutRows, offers, clock);
  const ticker = new RolloutTicker(rolloutRows, executors, offers, devices, measurements, clock, bus, events);
  const rollbacks = new RollbackService(rolloutRows, variantRows, offers, clock);
  const rollouts = new RolloutService(
    rolloutRows,
    models,
    variants,
    devices,
    measurements,
    rollbacks,
    ticker,
    clock,
    bus,
  );
  const reports = new ExecutionReports(rolloutRows, ticker, clock, bus);
  const budgets = new BudgetStatuses(devices, models, variants, measurements);
  const decisions = new DecisionRepository(db);
  const switches = new LoopSwitches(db, clock, bus);
  const timing = new TimingService(plans, models, variantRows, devices, desired, signer, clock, events);
  const planner = new PlanHandler(runner, jobs, plans, timing, models, datasets, store, config, clock);
  planner.onModuleInit();
  const reader = new LoopReader(
    budgets,
    variants,
    models,
    datasets,
    devices,
    jobs,
    rolloutRows,
    measurements,
    decisions,
    switches,
    new TableReader(tables),
    clock,
  );
  const log = new DecisionLog(decisions, clock, bus);
  const judge = new RolloutJudge(decisions, log, rollouts, rolloutRows, measurements);
  const loop = new LoopService(reader, judge, variants, rollouts, decisions, log, planner, clock, events);
  return {
    ...{ config, database, clock, published, devices, models, datasets, variants, variantRows, jobs, runner },
    ...{ rollouts, rolloutRows, ticker, reports, decisions, switches, loop, timing, planner, tables, importer, plans },
  };
}

export async function addDevice(work: Work, id: string, change: Partial<DeviceEntity> = {}): Promise<string> {
  const at = work.clock.now();
  await work.database.source.getRepository(DeviceEntity).insert({
    ...{ id, name: id, profile: 'x64-avx2', matched: [], facts: null, online: true, sessionId: null, bootId: null },
    ...{ lastSeenAt: at, servingDigest: null, previousDigest: null, servingModel: null, healthy: true, endpoint: null },
    ...{
      error: null,
      servingAt: null,
      certificateSerial: id,
      certificateExpiresAt: at,
      enrolledAt: at,
      removedAt: null,
    },
    ...change,
  } as object);
  return id;
}

export const changeDevice = (work: Work, id: string, change: Partial<DeviceEntity>) =>
  work.database.source.getRepository(DeviceEntity).update({ id }, change as object);

/** A report as the builder makes it, with the figures that choices rest on. */
export const report = (profile: string, method: 'float' | 'int8', speedup = method === 'int8' ? 1.6 : 1): Report => ({
  ...{
    version: 1,
    model: 'net',
    profile,
    method,
    seed: 1,
    commands: [],
    notes: [],
    nodes: [],
    floatNodes: [],
    passes: [],
  },
  runtime: { adapter: 'onnxruntime', version: '1.30.0', sessionOptions: {} },
  machine: { cpu: 'test', arch: 'x64', cores: 2 },
  data: { spec: 'random:8', n: 100, split: 'evaluation', labelled: true },
  float: { top1: 93, sizeBytes: 1000, latency: null },
  variant: { top1: method === 'int8' ? 92.8 : 93, sizeBytes: method === 'int8' ? 300 : 1000, latency: null },
  ...{ fixed: 1, broken: 2, mcnemarP: 1, agreement: 99, sqnrDb: null, speedup, sizeRatio: method === 'int8' ? 3.3 : 1 },
  ...{ cpuSeconds: 1, peakRssMb: 1, createdAt: new Date().toISOString() },
});

/** A ready variant without a build: its one file need not exist for what rollouts decide. */
export async function addVariant(
  work: Work,
  modelId: string,
  method: 'float' | 'int8',
  profile = 'x64-avx2',
): Promise<VariantEntity> {
  const files = [
    { path: 'model.onnx', bytes: 10, sha256: (method === 'int8' ? '8' : 'f').repeat(63) + (profile.length % 10) },
  ];
  const variant = {
    ...{ id: `var-${method}-${profile}-${modelId}`, modelId, profile, recipe: method, method, state: 'ready' as const },
    ...{
      note: null,
      digest: artifactDigest(files),
      files,
      report: report(profile, method),
      error: null,
      jobId: null,
      predictedUs: null,
      trialUs: null,
    },
    parts: {
      ...{ entry: 'model.onnx', inputs: [], outputs: [], golden: { path: 'golden.json', tolerance: {} } },
      sessionOptions: {
        ...{ graphOptimizationLevel: 'all' as const, intraOpNumThreads: 1, interOpNumThreads: 1, extra: {} },
        ...{ executionMode: 'sequential' as const, enableMemPattern: true, enableCpuMemArena: true },
      },
    },
    createdAt: work.clock.now(),
  };
  await work.variantRows.insert(variant);
  return variant;
}

/** What a device reports about the execution it was given last. */
export async function answer(
  work: Work,
  deviceId: string,
  state: ExecutionMessage['state'],
  change: Partial<ExecutionMessage> = {},
): Promise<void> {
  const target = work.published.get(deviceId)?.target;
  if (!target) throw new Error(`${deviceId} has no target`);
  await work.reports.record(deviceId, {
    ...{ executionId: target.executionId, digest: target.digest, sequence: 1, state, step: null, progress: null },
    ...{ error: null, at: work.clock.now().toISOString(), ...change },
  });
  if (state === 'SUCCEEDED') {
    const [device] = await work.devices.find(`id:${deviceId}`);
    await changeDevice(work, deviceId, { servingDigest: target.digest, previousDigest: device?.servingDigest ?? null });
  }
}

/** One measuring window of what a device serves. */
export async function measure(
  work: Work,
  deviceId: string,
  digest: string,
  p95Us: number,
  change: Partial<MeasurementEntity> = {},
): Promise<void> {
  const at = work.clock.now();
  const [device] = await work.devices.find(`id:${deviceId}`);
  await work.database.source.getRepository(MeasurementEntity).insert({
    ...{
      id: `win-${deviceId}-${at.getTime()}-${Math.round(p95Us)}`,
      deviceId,
      profile: device?.profile ?? null,
      digest,
    },
    ...{
      scenario: 'single-stream',
      batch: 1,
      startedAt: at,
      endedAt: at,
      n: 500,
      p50Us: Math.round(p95Us * 0.9),
      p95Us,
    },
    ...{ p99Us: p95Us, histogram: '', class: 'clean', coldStartUs: null, rssBytes: 1, temperatureC: null, errors: 0 },
    runtime: { adapter: 'onnxruntime', version: '1.30.0', optionsDigest: 'x', powerMode: null, soc: null },
    ...change,
  } as object);
}

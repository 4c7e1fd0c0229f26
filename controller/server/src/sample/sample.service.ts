import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CodedError, type ErrorBody, Preprocess } from '@espalier/proto';
import type { SampleView } from '@espalier/proto/api';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { addressesOf } from '../common/addresses.js';
import { Clock } from '../common/clock.js';
import { Config } from '../common/config.js';
import { SampleFailed, SampleRunning } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { RunningPorts } from '../common/running-ports.js';
import { DatasetService } from '../datasets/dataset.service.js';
import { DeviceService } from '../devices/device.service.js';
import { EnrolmentService } from '../devices/enrolment.service.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { ModelService } from '../models/model.service.js';
import { DecisionRepository } from '../reoptimize/decision.repository.js';
import { RolloutService } from '../rollouts/rollout.service.js';
import { VariantService } from '../variants/variant.service.js';
import { SampleEntity } from './sample.entity.js';
import { SampleAgent } from './sample-agent.js';
import { SampleLoop } from './sample-loop.js';
import { sendSamples } from './sample-requests.js';
import { judge, type Measured, type SampleResult } from './sample-result.js';
import { type Until, untilBy } from './until.js';

const FILES = path.join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'sample');
const SPEC = {
  calibrate: `idx:${FILES}/train-subset-images-idx3-ubyte.gz,${FILES}/train-subset-labels-idx1-ubyte.gz?to=512`,
  evaluate: `idx:${FILES}/test-subset-images-idx3-ubyte.gz,${FILES}/test-subset-labels-idx1-ubyte.gz`,
};
const NAME = 'fashion-ds';
const WHO = 'sample';
const REQUESTS = 50;

const STEPS = [
  'data',
  'model',
  'device',
  'float build',
  'float rollout',
  'float measured',
  'closed loop',
  'int8 measured',
  'serving',
] as const;
type Step = (typeof STEPS)[number];

/** Plays the sample journey with the real parts: only the budget is set for the user, the closed loop does the rest. */
@Injectable()
export class SampleService implements OnApplicationShutdown {
  readonly #logger = new Logger('sample');
  readonly #agent: SampleAgent;
  readonly #until: Until;
  readonly #loop: SampleLoop;
  #running: Promise<SampleResult> | null = null;
  #row: SampleEntity;
  /** Called with each step's text; the command line prints it. */
  onProgress: (text: string) => void = () => undefined;

  constructor(
    private readonly db: DataSource,
    private readonly config: Config,
    private readonly ports: RunningPorts,
    private readonly datasets: DatasetService,
    private readonly models: ModelService,
    private readonly devices: DeviceService,
    private readonly enrolments: EnrolmentService,
    private readonly variants: VariantService,
    private readonly rollouts: RolloutService,
    measurements: MeasurementService,
    private readonly decisions: DecisionRepository,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {
    this.#agent = new SampleAgent(config.under('agents', 'sample'));
    this.#row = this.#fresh('idle');
    this.#until = untilBy(clock);
    const say = (text: string): void => this.onProgress(text);
    this.#loop = new SampleLoop({ models, measurements, decisions, clock, say, until: this.#until });
  }

  /** At a start with an earlier sample its device comes back, as a real one would. */
  async resume(): Promise<void> {
    const stored = await this.db.manager.findOneBy(SampleEntity, { id: 'sample' });
    if (stored) this.#row = { ...stored, state: stored.state === 'running' ? 'failed' : stored.state };
    const known = stored?.deviceId ? await this.devices.isEnrolled(stored.deviceId) : false;
    if (known && this.#agent.isEnrolled) await this.#agent.start(this.#url, this.config.httpPort === 0);
  }

  /** Runs the journey. @throws ESP_SAMPLE_RUNNING, ESP_SAMPLE_FAILED */
  run(): Promise<SampleResult> {
    if (this.#running) throw SampleRunning({});
    this.#running = this.#journey().finally(() => (this.#running = null));
    return this.#running;
  }

  view(): SampleView {
    const { state, steps, modelId, deviceId, rolloutId, error } = this.#row;
    return {
      state,
      steps,
      modelId,
      deviceId,
      rolloutId,
      error,
      step: steps.find((step) => step.state === 'running')?.name ?? null,
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#agent.stop();
  }

  async #journey(): Promise<SampleResult> {
    const startedMs = this.clock.now().getTime();
    const { deviceId } = this.#row;
    this.#row = { ...this.#fresh('running'), deviceId };
    try {
      const result = await this.#play(startedMs);
      await this.#save({ state: 'done' });
      return result;
    } catch (error) {
      const step = this.view().step ?? 'start';
      const coded =
        error instanceof CodedError
          ? error
          : SampleFailed({ step, reason: (error as Error).message }, { cause: error });
      await this.#fail(coded.toJSON());
      throw coded;
    }
  }

  async #play(startedMs: number): Promise<SampleResult> {
    const datasetId = await this.#step('data', () => this.#data());
    const modelId = await this.#step('model', () => this.#model(datasetId));
    const device = await this.#step('device', () => this.#device());
    const [built] = await this.variants.optimize(modelId, {
      profiles: [device.profile],
      recipes: ['float'],
      requestedBy: WHO,
    });
    const float = await this.#step('float build', () => this.#ready(built!.id));
    await this.#step('float rollout', () => this.#rollOut(modelId, float.id));
    const first = await this.#step('float measured', () => this.#loop.measured(device.id, float.digest!, startedMs));
    const subject = { modelId, deviceId: device.id, profile: device.profile, floatDigest: float.digest! };
    const concluded = await this.#step('closed loop', () => this.#loop.conclude(subject, first, startedMs));
    const { end, float: measured } = concluded;
    const promoted = end.action === 'promoted' && end.variantId ? await this.variants.get(end.variantId) : null;
    const variant = await this.#step('int8 measured', async () =>
      promoted ? await this.#loop.measured(device.id, promoted.digest!, startedMs) : null,
    );
    const served = await this.#step('serving', () => this.#serve(device.id));
    const story = (await this.decisions.page(modelId, 100, 0))[0].toReversed();
    const { state: rollout } = await this.rollouts.get(end.rolloutId ?? this.#row.rolloutId!);
    const result: Measured | null = promoted && variant ? { report: promoted.report!, p50Us: variant.p50Us } : null;
    return judge({ report: float.report!, p50Us: measured.p50Us }, result, {
      ...{ seconds: Math.round((this.clock.now().getTime() - startedMs) / 100) / 10, rollout, served },
      decisions: story.map(({ reason, action }) => ({ reason, action })),
    });
  }

  get #url(): string {
    return addressesOf(this.config, this.ports).web;
  }

  async #data(): Promise<string> {
    const known = (await this.datasets.list()).find(({ calibrate }) => calibrate === SPEC.calibrate);
    return (known ?? (await this.datasets.register('Fashion-MNIST sample', SPEC.calibrate, SPEC.evaluate))).id;
  }

  async #model(datasetId: string): Promise<string> {
    const model = await this.models.register(path.join(FILES, `${NAME}.onnx`), { name: NAME });
    const preprocess = Preprocess.parse(JSON.parse(readFileSync(path.join(FILES, `${NAME}.preprocess.json`), 'utf8')));
    const labels = readFileSync(path.join(FILES, 'labels.txt'), 'utf8').trim().split('\n');
    await this.models.update(model.id, { datasetId, preprocess, labels });
    await this.#save({ modelId: model.id });
    return model.id;
  }

  /** The device of an earlier run, or a new one through the real enrolment. */
  async #device(): Promise<{ id: string; profile: string }> {
    const known =
      this.#row.deviceId !== null && this.#agent.isEnrolled && (await this.devices.isEnrolled(this.#row.deviceId));
    if (!known) {
      const before = new Set((await this.devices.find('')).map(({ id }) => id));
      const { token } = await this.enrolments.createToken('sample', 10, WHO);
      await this.#agent.enrol(this.#url, token);
      const device = (await this.devices.find('')).find(({ id }) => !before.has(id));
      await this.#save({ deviceId: device?.id ?? null });
    }
    await this.#agent.start(this.#url, this.config.httpPort === 0);
    const id = this.#row.deviceId!;
    return this.#until('the device is online with a hardware profile', async () => {
      const { online, profile } = await this.devices.get(id);
      return online && profile ? { id, profile } : null;
    });
  }

  #ready(variantId: string) {
    return this.#until('the build is ready', async () => {
      const variant = await this.variants.get(variantId);
      if (variant.state === 'failed') throw new Error(variant.error?.message ?? 'the build failed');
      return variant.state === 'ready' ? variant : null;
    });
  }

  async #rollOut(modelId: string, variantId: string): Promise<void> {
    const groups = [{ name: 'canary', percent: 100, successThreshold: 100, errorThreshold: 20, soakSeconds: 0 }];
    const gate = { p95Us: null, maxRegression: null, minDevices: 1 };
    const id = await this.rollouts.create({
      ...{ modelId, variantIds: [variantId], filter: `id:${this.#row.deviceId}`, groups, gate, start: true },
      name: `${NAME} float`,
      createdBy: WHO,
    });
    await this.#save({ rolloutId: id });
    await this.#until('the rollout is finished', async () => {
      const { state, reason } = await this.rollouts.get(id);
      if (state === 'PAUSED' || state === 'STOPPED') throw new Error(reason ?? state);
      return state === 'FINISHED' ? true : null;
    });
  }

  async #serve(deviceId: string): Promise<number> {
    const { endpoint } = await this.devices.get(deviceId);
    return endpoint ? sendSamples(endpoint, NAME, REQUESTS) : 0;
  }

  async #step<T>(name: Step, work: () => Promise<T>): Promise<T> {
    await this.#mark(name, 'running');
    this.onProgress(name);
    const value = await work();
    await this.#mark(name, 'done');
    return value;
  }

  #fresh(state: SampleView['state']): SampleEntity {
    const steps = STEPS.map((name) => ({ name, state: 'waiting' as const, text: null }));
    return {
      id: 'sample',
      state,
      steps,
      modelId: null,
      deviceId: null,
      rolloutId: null,
      error: null,
      startedAt: this.clock.now(),
    };
  }

  async #mark(name: Step, state: 'running' | 'done'): Promise<void> {
    await this.#save({ steps: this.#row.steps.map((step) => (step.name === name ? { ...step, state } : step)) });
  }

  async #fail(error: ErrorBody): Promise<void> {
    this.#logger.error(`${error.code}: ${error.message}`);
    await this.#save({
      state: 'failed',
      error,
      steps: this.#row.steps.map((step) => (step.state === 'running' ? { ...step, state: 'failed' } : step)),
    });
  }

  async #save(change: Partial<SampleEntity>): Promise<void> {
    this.#row = { ...this.#row, ...change };
    await this.db.manager.save(SampleEntity, this.#row as object);
    this.bus.emit('sample', 'sample');
  }
}

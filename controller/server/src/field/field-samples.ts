import { createHash } from 'node:crypto';
import { type FieldSample, SEALED_BYTES_MAX } from '@espalier/proto';
import type { FieldSampleState } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { LabelUnknown, NotFound, SampleQuota, SampleRefused, SampleUnreadable, SamplingOff } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { DeviceService } from '../devices/device.service.js';
import { SampleSink } from '../devices/sample-sink.js';
import { ModelService } from '../models/model.service.js';
import { VariantRepository } from '../variants/variant.repository.js';
import { admit, dayOf } from './admit.js';
import type { FieldSampleEntity, SamplingPolicyEntity } from './field.entity.js';
import { FieldRepository } from './field.repository.js';
import { FieldDatasets } from './field-datasets.js';
import { classNames, misfit } from './fits-model.js';
import { SampleFiles } from './sample-files.js';
import { SampleKey } from './sample-key.js';
import { SamplingPolicies } from './sampling-policies.js';

const DAY_MS = 86_400_000;

/** Takes samples of devices, keeps them sealed, and gives them to people to label. */
@Injectable()
export class FieldSamples extends SampleSink {
  /** One after another, so that two at once do not both find room for the last. */
  #taking: Promise<unknown> = Promise.resolve();
  #swept = false;

  constructor(
    private readonly field: FieldRepository,
    private readonly files: SampleFiles,
    private readonly key: SampleKey,
    private readonly policies: SamplingPolicies,
    private readonly datasets: FieldDatasets,
    private readonly devices: DeviceService,
    private readonly models: ModelService,
    private readonly variants: VariantRepository,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {
    super();
  }

  take(deviceId: string, sealed: Uint8Array): Promise<void> {
    const taken = this.#taking.then(() => this.#take(deviceId, sealed));
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  async #take(deviceId: string, sealed: Uint8Array): Promise<void> {
    const device = await this.devices.get(deviceId);
    const serving =
      device.servingDigest === null ? null : await this.variants.byDigest(device.servingDigest, device.profile);
    const policy = serving && (await this.field.policy(serving.modelId));
    if (!policy?.enabled) throw SamplingOff({ deviceId });
    if (sealed.length > SEALED_BYTES_MAX) throw SampleRefused({ deviceId, reason: 'it is too large' });
    const sample = await this.key.open(sealed, deviceId).catch((error: Error) => {
      throw SampleRefused({ deviceId, reason: error.message }, { cause: error });
    });
    const { header } = sample;
    // Another build of the same model may have answered, before or after a rollout.
    const answered = await this.variants.byDigest(header.digest, device.profile);
    if (answered?.modelId !== policy.modelId)
      throw SampleRefused({ deviceId, reason: `build ${header.digest.slice(0, 12)} is none of the sampled model` });
    const { info } = await this.models.get(policy.modelId);
    const wrong = misfit(sample, info);
    if (wrong !== null) throw SampleRefused({ deviceId, reason: wrong });
    await this.#store(deviceId, policy, sample, sealed);
  }

  async #store(
    deviceId: string,
    policy: SamplingPolicyEntity,
    { header }: FieldSample,
    sealed: Uint8Array,
  ): Promise<void> {
    const { modelId } = policy;
    // A device names its samples; under this id it can name none of another device.
    const id = `fld-${createHash('sha256').update(`${deviceId} ${header.id}`).digest('hex').slice(0, 24)}`;
    if (await this.field.find(id)) return;
    const now = this.clock.now();
    const takenAt = new Date(header.takenAt);
    const sent = await this.field.sentBy(deviceId, modelId, dayOf(takenAt.getTime()), new Date(now.getTime() - DAY_MS));
    const { sizeBytes: modelBytes } = await this.field.usage(modelId);
    const state = { policy, takenThatDay: sent.taken, bytesLately: sent.bytes, modelBytes };
    const verdict = admit(state, takenAt.getTime(), sealed.length, now.getTime());
    if (verdict.kind === 'refuse') throw SampleRefused({ deviceId, reason: verdict.reason });
    if (verdict.kind === 'later') throw SampleQuota({ deviceId, reason: verdict.reason });
    const { digest, guess, confidence, input } = header;
    await this.files.write(modelId, id, sealed);
    await this.field.insert({
      ...{ id, modelId, deviceId, digest, takenAt, receivedAt: now, guess, confidence, input },
      ...{ sizeBytes: sealed.length, state: 'open', label: null, labelledBy: null, labelledAt: null },
    });
    this.bus.emit('field-sample', modelId);
  }

  /** @throws ESP_NOT_FOUND */
  async get(id: string): Promise<FieldSampleEntity> {
    const sample = await this.field.find(id);
    if (!sample) throw NotFound({ what: 'field sample', id });
    return sample;
  }

  /** The values, opened in memory. @throws ESP_SAMPLE_UNREADABLE */
  async open({ id, modelId, deviceId }: FieldSampleEntity): Promise<FieldSample> {
    try {
      return await this.key.open(await this.files.read(modelId, id), deviceId);
    } catch (error) {
      throw SampleUnreadable({ id, reason: (error as Error).message }, { cause: error });
    }
  }

  /** @param label null with `usable: false` for what nobody can tell, null alone for open again. @throws ESP_LABEL_UNKNOWN */
  async label(id: string, label: number | null, usable: boolean, who: string): Promise<FieldSampleEntity> {
    const { modelId } = await this.get(id);
    const classes = classNames(await this.models.get(modelId)).length;
    if (label !== null && label >= classes) throw LabelUnknown({ label, classes });
    const state: FieldSampleState = !usable ? 'unusable' : label === null ? 'open' : 'labelled';
    const given =
      state === 'open' ? { labelledBy: null, labelledAt: null } : { labelledBy: who, labelledAt: this.clock.now() };
    await this.field.update(id, { state, label: usable ? label : null, ...given });
    this.bus.emit('field-sample', modelId);
    return this.get(id);
  }

  async remove(id: string): Promise<FieldSampleEntity> {
    const sample = await this.get(id);
    await this.#delete([sample]);
    return sample;
  }

  /** Every sample of the model, and the data sets that were made of them. Answers how many there were of each. */
  async removeAll(modelId: string): Promise<{ samples: number; datasets: number }> {
    const samples = await this.field.ofModel(modelId);
    await this.#delete(samples);
    await this.files.removeAll(modelId);
    return { samples: samples.length, datasets: await this.datasets.removeAll(modelId) };
  }

  async tend(): Promise<void> {
    await this.#delete(await this.field.expired(this.clock.now()));
    await this.policies.tell();
    if (this.#swept) return;
    this.#swept = true;
    // In its turn, so that a file whose row is being written is not taken for a stray one.
    this.#taking = this.#taking.then(async () => this.files.keepOnly(await this.field.ids())).catch(() => undefined);
    await this.#taking;
  }

  async #delete(samples: readonly FieldSampleEntity[]): Promise<void> {
    // The row first: a file that no row names is found again, a row without its file is a broken promise.
    await this.field.remove(samples.map(({ id }) => id));
    for (const { modelId, id } of samples) await this.files.remove(modelId, id);
    for (const modelId of new Set(samples.map((one) => one.modelId))) this.bus.emit('field-sample', modelId);
  }
}

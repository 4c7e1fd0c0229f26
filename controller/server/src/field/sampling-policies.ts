import { canonicalDigest, type SamplingRequest } from '@espalier/proto';
import type { SamplingPolicy, SamplingView } from '@espalier/proto/api';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ManifestSigner } from '../artifacts/signer.js';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { SamplingUnfit } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { DesiredService } from '../devices/desired.service.js';
import type { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { VariantRepository } from '../variants/variant.repository.js';
import { MODEL_BYTES_MAX } from './admit.js';
import { type Asked, FieldRepository } from './field.repository.js';
import { classNames, unfitReason } from './fits-model.js';
import { SampleKey } from './sample-key.js';

/** What a model has before anybody chose: nothing is kept. */
export const FIRST_POLICY: SamplingPolicy = {
  ...{ enabled: false, confidenceBelow: 0.5, perDay: 20, bytesMax: 16_000_000, retentionDays: 30 },
};

/** Which inputs devices may keep: the policy of each model, and the orders that follow from it. */
@Injectable()
export class SamplingPolicies implements OnModuleInit {
  /** One after another, so that an order that was read before a switch was thrown is not sent after it. */
  #telling: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly field: FieldRepository,
    private readonly models: ModelService,
    private readonly variants: VariantRepository,
    private readonly desired: DesiredService,
    private readonly signer: ManifestSigner,
    private readonly key: SampleKey,
    private readonly clock: Clock,
    private readonly bus: EventBus,
    private readonly events: DomainEvents,
  ) {}

  onModuleInit(): void {
    this.events.on('serving', ({ deviceId }) => this.tell(deviceId));
  }

  async view(modelId: string): Promise<SamplingView> {
    const model = await this.models.get(modelId);
    const stored = await this.field.policy(modelId);
    const { counts, sizeBytes } = await this.field.usage(modelId);
    const { enabled, confidenceBelow, perDay, bytesMax, retentionDays } = stored ?? FIRST_POLICY;
    return {
      policy: { enabled, confidenceBelow, perDay, bytesMax, retentionDays },
      ...{ changedBy: stored?.changedBy ?? null, changedAt: stored?.changedAt.toISOString() ?? null },
      unfit: unfitReason(model.info),
      devices: await this.field.countAsked(model.name, model.version),
      ...{ counts: { ...counts }, sizeBytes, sizeBytesMax: MODEL_BYTES_MAX },
      labels: classNames(model),
    };
  }

  /** Stores the policy, then tells the devices. @throws ESP_SAMPLING_UNFIT */
  async set(modelId: string, policy: SamplingPolicy, changedBy: string): Promise<SamplingView> {
    const model = await this.models.get(modelId);
    const reason = unfitReason(model.info);
    if (policy.enabled && reason !== null) throw SamplingUnfit({ model: model.name, reason });
    await this.field.savePolicy({ ...policy, modelId, changedBy, changedAt: this.clock.now() });
    await this.tell();
    this.bus.emit('field-sample', modelId);
    return this.view(modelId);
  }

  /** Brings the orders of devices, or of one, to what the policies ask for. */
  tell(deviceId?: string): Promise<void> {
    const told = this.#telling.then(() => this.#tell(deviceId));
    this.#telling = told.catch(() => undefined);
    return told;
  }

  async #tell(deviceId?: string): Promise<void> {
    for (const device of await this.field.devicesToTell(deviceId)) {
      const wanted = await this.#request(device);
      if (canonicalDigest(wanted) === canonicalDigest(device.asked)) continue;
      await this.desired.setSampling(device.id, wanted && this.signer.sampling(wanted));
      this.bus.emit('field-sample', device.id);
    }
  }

  async #request({ id: deviceId, servingDigest, profile }: Asked): Promise<SamplingRequest | null> {
    const variant = servingDigest === null ? null : await this.variants.byDigest(servingDigest, profile);
    const policy = variant && (await this.field.policy(variant.modelId));
    if (!variant || !policy?.enabled) return null;
    const { name, version }: ModelEntity = await this.models.get(variant.modelId);
    const { confidenceBelow, perDay, bytesMax, retentionDays } = policy;
    return {
      ...{ deviceId, model: { name, version }, confidenceBelow, perDay, bytesMax, retentionDays },
      recipient: await this.key.recipient(),
    };
  }
}

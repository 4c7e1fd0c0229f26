import { Injectable } from '@nestjs/common';
import { NotFound } from '../common/errors.js';
import { DesiredService } from '../devices/desired.service.js';
import { ModelService } from '../models/model.service.js';
import { ReleaseService } from '../variants/release.service.js';
import { VariantService } from '../variants/variant.service.js';
import type { ExecutionEntity } from './rollout.entity.js';

/** Makes an execution's variant the target of its device, and takes it away again. */
@Injectable()
export class OfferService {
  constructor(
    private readonly desired: DesiredService,
    private readonly variants: VariantService,
    private readonly models: ModelService,
    private readonly releases: ReleaseService,
  ) {}

  /** Idempotent: the same execution gives the same target, so an offer cut off by a kill is made again. */
  async offer(execution: ExecutionEntity): Promise<void> {
    if (!execution.variantId) throw NotFound({ what: 'variant', id: execution.id });
    const variant = await this.variants.get(execution.variantId);
    const model = await this.models.get(variant.modelId);
    const release = await this.releases.current(model, variant);
    await this.desired.setTarget(execution.deviceId, {
      executionId: execution.id,
      rolloutId: execution.rolloutId,
      model: model.name,
      modelVersion: model.version,
      variantId: variant.id,
      digest: variant.digest!,
      sizeBytes: variant.files.reduce((sum, file) => sum + file.bytes, 0),
      manifest: { sha256: release.manifestSha256, bytes: release.manifestBytes },
    });
  }

  /** After an execution ended: nothing is asked of the device any more, and what failed is not wanted any more. */
  async settle(execution: ExecutionEntity): Promise<void> {
    const { deviceId, id, state } = execution;
    const desired = await this.desired.current(deviceId);
    if (desired.cancel.includes(id)) await this.desired.clearCancel(deviceId, id);
    if (state !== 'SUCCEEDED' && desired.target?.executionId === id) await this.desired.setTarget(deviceId, null);
  }

  /** Asks the device to end an execution under way. */
  async cancel(execution: ExecutionEntity): Promise<void> {
    await this.desired.cancel(execution.deviceId, execution.id);
  }
}

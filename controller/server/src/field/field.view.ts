import type { FieldSample } from '@espalier/proto';
import type { FieldSampleQuery, FieldSampleRow, FieldSampleValues, Page } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { DeviceService } from '../devices/device.service.js';
import type { ModelEntity } from '../models/model.entity.js';
import { expiresAt } from './admit.js';
import type { FieldSampleEntity } from './field.entity.js';
import { FieldRepository } from './field.repository.js';
import { numbersOf } from './fits-model.js';
import { isPicture } from './picture.js';
import { FIRST_POLICY } from './sampling-policies.js';

/** Values that are shown of an input that is no picture. */
const SHOWN = 64;

/** Read model of the samples of a model. */
@Injectable()
export class FieldViews {
  constructor(
    private readonly field: FieldRepository,
    private readonly devices: DeviceService,
  ) {}

  async page(
    model: ModelEntity,
    { state, cursor, limit }: z.infer<typeof FieldSampleQuery>,
  ): Promise<Page<FieldSampleRow>> {
    const { items, next, total } = await this.field.page(model.id, state, cursor, limit);
    const rows: FieldSampleRow[] = [];
    for (const sample of items) rows.push(await this.row(sample, model));
    return { items: rows, next, total };
  }

  async row(sample: FieldSampleEntity, model: ModelEntity): Promise<FieldSampleRow> {
    const { id, modelId, deviceId, takenAt, guess, confidence, state, label, labelledBy, input } = sample;
    const device = await this.devices.get(deviceId).catch(() => null);
    const { retentionDays } = (await this.field.policy(modelId)) ?? FIRST_POLICY;
    return {
      ...{ id, modelId, deviceId, deviceName: device?.name ?? null, takenAt: takenAt.toISOString() },
      ...{ keptUntil: expiresAt(takenAt, retentionDays).toISOString(), guess, confidence, state, label, labelledBy },
      shownAs: isPicture(input.shape, model.preprocess) ? 'picture' : 'values',
    };
  }

  values({ header: { input }, values }: FieldSample): FieldSampleValues {
    const numbers = Array.from(numbersOf(input.type, values) as ArrayLike<number>, Number);
    const [min, max, sum] = numbers.reduce(
      ([low, high, total], value) => [Math.min(low, value), Math.max(high, value), total + value] as const,
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0] as readonly [number, number, number],
    );
    return {
      ...{ input: input.name, type: input.type, shape: input.shape, min, max, mean: sum / numbers.length },
      first: numbers.slice(0, SHOWN),
    };
  }
}

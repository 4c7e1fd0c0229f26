import type { QualityView } from '@espalier/proto/api';
import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DeviceService } from '../devices/device.service.js';
import { ModelService } from '../models/model.service.js';
import { driftWords, movedClasses } from './drift.js';
import { type QualityNow, QualityService } from './quality.service.js';

@ApiTags('quality')
@Controller('api/v1')
export class QualityController {
  constructor(
    private readonly quality: QualityService,
    private readonly models: ModelService,
    private readonly devices: DeviceService,
  ) {}

  /** What the builds of a model said on devices in the last day, beside their evaluation. */
  @Get('models/:id/quality')
  async ofModel(@Param('id') id: string): Promise<QualityView[]> {
    const { labels } = await this.models.get(id);
    return (await this.quality.now({ modelId: id })).map((one) => viewOf(one, labels));
  }

  /** The same of one device. */
  @Get('devices/:id/quality')
  async ofDevice(@Param('id') id: string): Promise<QualityView[]> {
    await this.devices.get(id);
    const views: QualityView[] = [];
    for (const one of await this.quality.now({ deviceId: id }))
      views.push(viewOf(one, (await this.models.get(one.modelId)).labels));
    return views;
  }
}

/** Classes that are named as having moved. */
const MOVED = 5;

const viewOf = (now: QualityNow, labels: readonly string[] | null): QualityView => ({
  ...{ variantId: now.variantId, modelId: now.modelId, profile: now.profile, digest: now.digest },
  ...{ devices: now.deviceIds.length, verdict: now.drift.verdict, words: driftWords(now.drift) },
  ...{ figures: [...now.drift.figures], expected: now.expected, seen: now.seen },
  moved: movedClasses(now.expected, now.seen, MOVED).map(({ index, expected, seen }) => ({
    ...{ name: labels?.[index] ?? `class ${index}`, expected, seen },
  })),
});

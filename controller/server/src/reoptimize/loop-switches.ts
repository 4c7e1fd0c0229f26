import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../common/clock.js';
import { EventBus } from '../common/events.js';
import { LoopSwitchEntity } from './loop-switch.entity.js';

/** The closed loop's switches for single profiles of a model. */
@Injectable()
export class LoopSwitches {
  constructor(
    private readonly db: DataSource,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  /** Profiles of the model that are switched off. */
  async off(modelId: string): Promise<Set<string>> {
    const rows = await this.db.getRepository(LoopSwitchEntity).findBy({ modelId });
    return new Set(rows.map(({ profile }) => profile));
  }

  async set(modelId: string, profile: string, automatic: boolean, who: string): Promise<void> {
    const switches = this.db.getRepository(LoopSwitchEntity);
    if (automatic) await switches.delete({ modelId, profile });
    else await switches.save({ modelId, profile, who, at: this.clock.now() });
    this.bus.emit('model', modelId);
  }
}

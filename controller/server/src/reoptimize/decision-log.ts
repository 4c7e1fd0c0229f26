import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import type { DecisionEntity } from './decision.entity.js';
import { DecisionRepository } from './decision.repository.js';

type Rest = 'id' | 'at' | 'jobId' | 'variantId' | 'rolloutId' | 'trigger' | 'skipped';
export type NewDecision = Omit<DecisionEntity, Rest> & Partial<Pick<DecisionEntity, Exclude<Rest, 'at'>>>;

/** Stores decisions and tells of them. */
@Injectable()
export class DecisionLog {
  readonly #logger = new Logger('closed loop');

  constructor(
    private readonly decisions: DecisionRepository,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  async add(decision: NewDecision): Promise<void> {
    const row = {
      ...{ id: newId('dec'), jobId: null, variantId: null, rolloutId: null, trigger: null, skipped: [] },
      ...decision,
      at: this.clock.now(),
    };
    await this.decisions.insert(row);
    this.bus.emit('decision', row.id);
    this.#logger.log(`${row.action} for ${row.profile}: ${row.reason}`);
  }
}

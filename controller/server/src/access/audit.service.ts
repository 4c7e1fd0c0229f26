import type { AuditEntry, Page } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { newId } from '../common/ids.js';
import { AuditRepository } from './audit.repository.js';

/** Who did what. `who` is a person's or token's name, or the part of the controller that decided by itself. */
@Injectable()
export class AuditService {
  constructor(
    private readonly entries: AuditRepository,
    private readonly clock: Clock,
  ) {}

  /** @param action a verb phrase in the past, such as `rollout paused`; @param subject the id of what it was done to */
  async record(who: string, action: string, subject: string, details: Record<string, unknown> = {}): Promise<void> {
    await this.entries.insert({ id: newId('aud', 12), at: this.clock.now(), who, action, subject, details });
  }

  page(query: { q: string; cursor?: string | undefined; limit: number }): Promise<Page<AuditEntry>> {
    return this.entries.page(query);
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, In, QueryFailedError } from 'typeorm';
import { ReleaseEntity, VariantEntity } from './variant.entity.js';

/** PostgreSQL's unique_violation. */
const UNIQUE_VIOLATION = '23505';

@Injectable()
export class VariantRepository {
  constructor(private readonly db: DataSource) {}

  find(id: string): Promise<VariantEntity | null> {
    return this.db.getRepository(VariantEntity).findOneBy({ id });
  }

  findMany(ids: readonly string[]): Promise<VariantEntity[]> {
    return this.db.getRepository(VariantEntity).findBy({ id: In([...ids]) });
  }

  /** Newest first. */
  list(modelId?: string): Promise<VariantEntity[]> {
    return this.db.getRepository(VariantEntity).find({
      where: modelId === undefined ? {} : { modelId },
      order: { createdAt: 'DESC', id: 'ASC' },
    });
  }

  /** The variant a device of this profile serves under this digest: float builds of two profiles can share one. */
  async byDigest(digest: string, profile: string | null): Promise<VariantEntity | null> {
    const found = await this.db.getRepository(VariantEntity).find({ where: { digest }, order: { createdAt: 'DESC' } });
    return found.find((variant) => variant.profile === profile) ?? found[0] ?? null;
  }

  async insert(variant: VariantEntity): Promise<void> {
    await this.db.getRepository(VariantEntity).insert(variant as object);
  }

  async update(id: string, change: Partial<Omit<VariantEntity, 'id'>>): Promise<void> {
    await this.db.getRepository(VariantEntity).update({ id }, change as object);
  }

  latestRelease(variantId: string): Promise<ReleaseEntity | null> {
    return this.db.getRepository(ReleaseEntity).findOne({ where: { variantId }, order: { counter: 'DESC' } });
  }

  /** The highest counter ever given for a model name on a profile; 0 before the first. */
  async highestCounter(modelName: string, profile: string): Promise<number> {
    const highest = await this.db.getRepository(ReleaseEntity).maximum('counter', { modelName, profile });
    return highest ?? 0;
  }

  /** False when another took the same counter in the meantime. */
  async insertRelease(release: ReleaseEntity): Promise<boolean> {
    try {
      await this.db.getRepository(ReleaseEntity).insert(release);
      return true;
    } catch (error) {
      if (error instanceof QueryFailedError && error.driverError.code === UNIQUE_VIOLATION) return false;
      throw error;
    }
  }
}

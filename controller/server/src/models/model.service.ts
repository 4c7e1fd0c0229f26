import { inspectModel } from '@espalier/compression';
import type { Budget, UpdateModel } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { Clock } from '../common/clock.js';
import { ModelExists, ModelInUse, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import type { ModelEntity } from './model.entity.js';
import { ModelRepository } from './model.repository.js';

/** Nothing limits a new model's latency until someone says so; a point of accuracy is what most accept. */
const FIRST_BUDGET: Budget = { maxAccuracyDrop: 1, p95Us: null, maxSizeBytes: null };

export interface NewModel {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly fileName?: string | undefined;
}

/** Registers models and changes what may change of them. */
@Injectable()
export class ModelService {
  constructor(
    private readonly models: ModelRepository,
    private readonly store: ArtifactStore,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  /** Reads and stores an ONNX file. Throws the coded errors of inspectModel for a broken one, before it is stored. */
  async register(file: string, asked: NewModel): Promise<ModelEntity> {
    const { preprocess, labels, ...info } = await inspectModel(file);
    const name = asked.name ?? nameFrom(asked.fileName);
    const versions = (await this.models.versions(name)).map((model) => model.version);
    const version = asked.version ?? nextVersion(versions);
    if (versions.includes(version)) throw ModelExists({ name, version });
    const blob = await this.store.putFile(file);
    const now = this.clock.now();
    const model: ModelEntity = {
      id: newId('mod'),
      name,
      version,
      fileSha256: blob.sha256,
      sizeBytes: blob.bytes,
      info,
      preprocess,
      labels,
      budget: FIRST_BUDGET,
      budgetChangedAt: now,
      ...{ autoOptimize: true, requireApproval: false, trustContended: false },
      datasetId: null,
      createdAt: now,
    };
    await this.models.insert(model);
    this.bus.emit('model', model.id);
    return model;
  }

  async update(id: string, change: UpdateModel): Promise<ModelEntity> {
    await this.get(id);
    const budgetChangedAt =
      change.budget || change.autoOptimize !== undefined ? { budgetChangedAt: this.clock.now() } : {};
    await this.models.update(id, { ...change, ...budgetChangedAt });
    this.bus.emit('model', id);
    return this.get(id);
  }

  async remove(id: string): Promise<void> {
    const model = await this.get(id);
    if ((await this.models.openRollouts(id)) > 0) throw ModelInUse({ name: model.name, version: model.version });
    await this.models.remove(id);
    this.bus.emit('model', id);
  }

  async get(id: string): Promise<ModelEntity> {
    const model = await this.models.find(id);
    if (!model) throw NotFound({ what: 'model', id });
    return model;
  }

  list(): Promise<ModelEntity[]> {
    return this.models.list();
  }
}

/** A model's name from its file's: "My Net (1).onnx" becomes "My-Net-1". */
export function nameFrom(fileName: string | undefined): string {
  const plain = (fileName ?? 'model').replace(/\.onnx$/i, '').replace(/[^A-Za-z0-9._-]+/g, '-');
  return plain.replace(/^[^A-Za-z0-9]+|-+$/g, '').slice(0, 64) || 'model';
}

/** One more than the highest whole number among the versions: "1" for a new name. */
export function nextVersion(versions: readonly string[]): string {
  const numbers = versions.map(Number).filter(Number.isInteger);
  return String(Math.max(0, ...numbers) + 1);
}

import type { HardwareProfile } from '@espalier/compression';
import type { Works } from '@espalier/compression/latency/plan';
import { CodedError } from '@espalier/proto';
import type { ImportTable } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ArtifactStore } from '../../artifacts/artifact-store.js';
import { Clock } from '../../common/clock.js';
import { ModelNotTraced } from '../../common/errors.js';
import { runWorker } from '../../jobs/worker-process.js';
import type { ModelEntity } from '../../models/model.entity.js';
import { ModelService } from '../../models/model.service.js';
import { findProfile } from '../../variants/build-handler.js';
import { readAiHub } from './ai-hub.js';
import { ImportedTableEntity } from './imported-table.entity.js';
import { readRknn } from './rknn.js';
import { type Found, rowsOfLayers, rowsOfRoof } from './to-table.js';
import { readVela } from './vela.js';

const LIMIT_MS = 120_000;

/** Takes in tables that no device measured. They plan builds where nothing is measured, and decide nothing. */
@Injectable()
export class TableImporter {
  constructor(
    private readonly db: DataSource,
    private readonly models: ModelService,
    private readonly store: ArtifactStore,
    private readonly clock: Clock,
  ) {}

  find(modelId: string, profile: string): Promise<ImportedTableEntity | null> {
    return this.db.getRepository(ImportedTableEntity).findOneBy({ modelId, profile });
  }

  list(modelId: string): Promise<ImportedTableEntity[]> {
    return this.db.getRepository(ImportedTableEntity).findBy({ modelId });
  }

  /** @throws ESP_LAYERS_UNREADABLE, ESP_MODEL_NOT_TRACED, ESP_NOT_FOUND */
  async take(modelId: string, request: ImportTable, importedBy: string): Promise<void> {
    const model = await this.models.get(modelId);
    const profile = await findProfile(request.profile);
    const { rows, anchorUs, unmatched } = found(request, await this.#works(model, profile));
    const table = {
      ...{ version: 1 as const, model: `${model.name} ${model.version}`, anchorUs, rows },
      key: {
        ...{ profile: profile.id, soc: null, runtime: request.format, powerMode: null, precision: 'int8' as const },
        options: JSON.stringify(profile.session),
      },
    };
    const row = { modelId, profile: profile.id, table, unmatched, importedBy, importedAt: this.clock.now() };
    await this.db.getRepository(ImportedTableEntity).upsert(row as object, ['modelId', 'profile']);
  }

  /** Runs the model, so in a process of its own. */
  async #works({ name, fileSha256 }: ModelEntity, profile: HardwareProfile): Promise<Works> {
    const end = await runWorker<'list-works'>({
      work: { kind: 'list-works', task: { file: this.store.pathOf(fileSha256), profile } },
      onProgress: () => undefined,
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    if (end.kind === 'done') return end.result;
    if (end.kind === 'failed') {
      const { code, message, action, details } = end.error;
      throw new CodedError(code, 422, message, action, details);
    }
    const why = end.kind === 'lost' ? end.reason : `it took longer than ${LIMIT_MS / 1000} s`;
    throw ModelNotTraced({ model: name, why });
  }
}

function found(request: ImportTable, works: Works): Found {
  switch (request.format) {
    case 'vela':
      return rowsOfLayers(readVela(request.text, request.clockMhz), works);
    case 'rknn':
      return rowsOfLayers(readRknn(request.text), works);
    case 'ai-hub':
      return rowsOfLayers(readAiHub(request.text), works);
    case 'roofline':
      return rowsOfRoof(request, works);
  }
}

import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FieldSample } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Config } from '../common/config.js';
import { diskFullOr } from '../common/durable-file.js';
import { TooFewLabels } from '../common/errors.js';
import { newId } from '../common/ids.js';
import { DatasetEntity } from '../datasets/dataset.entity.js';
import { DatasetService } from '../datasets/dataset.service.js';
import { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { NPY_TYPES, npyHead } from './npy.js';

/** A labelled sample as it is written. */
export interface Labelled {
  readonly label: number;
  open(): Promise<FieldSample>;
}

/** Without other data half of the samples calibrate, so that none does both. */
const FEWEST_ALONE = 2;

/**
 * Labelled samples as data sets. Each is a copy that never changes: `datasets/field-.../npy` with the inputs as the model
 * takes them, after preprocessing, and `evaluate.list` that appends them to the evaluation data of the model.
 */
@Injectable()
export class FieldDatasets {
  constructor(
    private readonly db: DataSource,
    private readonly config: Config,
    private readonly datasets: DatasetService,
    private readonly models: ModelService,
  ) {}

  /** @throws ESP_TOO_FEW_LABELS, ESP_DISK_FULL */
  async make(modelId: string, samples: readonly Labelled[], name: string | undefined): Promise<DatasetEntity> {
    const model = await this.models.get(modelId);
    const base = await this.#base(model);
    const needed = base ? 1 : FEWEST_ALONE;
    if (samples.length < needed) throw TooFewLabels({ found: samples.length, needed });
    const id = newId('dat');
    const folder = this.#folder(id);
    try {
      const npy = `npy:${await this.#write(folder, samples)}`;
      // Labels without labels beside them prove nothing together.
      const isAppended = base?.evaluate != null && base.labelled;
      const list = path.join(folder, 'evaluate.list');
      if (isAppended) await writeFile(list, `${base.evaluate}\n${npy}\n`, { mode: 0o600 });
      const evaluate = isAppended ? `list:${list}` : base ? npy : `${npy}?not-every=2`;
      const fieldSamples = base ? samples.length : Math.floor(samples.length / 2);
      return await this.datasets.registerField(
        id,
        name ?? `${(base?.name ?? model.name).slice(0, 36)} + ${fieldSamples} from the field`,
        {
          calibrate: base?.calibrate ?? `${npy}?every=2`,
          evaluate,
          fieldSamples,
          fieldOf: modelId,
          baseId: base?.id ?? null,
        },
      );
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw diskFullOr(error, folder);
    }
  }

  /** Deletes the copies made of a model's samples; models that use one go back to what it was appended to. */
  async removeAll(modelId: string): Promise<number> {
    const found = await this.db.getRepository(DatasetEntity).findBy({ fieldOf: modelId });
    for (const { id, baseId } of found) {
      await this.db.getRepository(ModelEntity).update({ datasetId: id }, { datasetId: baseId });
      await this.db.getRepository(DatasetEntity).delete({ id });
      await rm(this.#folder(id), { recursive: true, force: true });
    }
    return found.length;
  }

  #folder(id: string): string {
    return this.config.under('datasets', `field-${id}`);
  }

  /** The data that samples are appended to: the model's own, never a set that has samples in it already. */
  async #base({ datasetId }: ModelEntity): Promise<DatasetEntity | null> {
    const chosen = datasetId === null ? null : await this.datasets.get(datasetId);
    if (chosen?.fieldOf == null) return chosen;
    return chosen.baseId === null ? null : this.datasets.get(chosen.baseId);
  }

  /** @returns the folder of the arrays */
  async #write(folder: string, samples: readonly Labelled[]): Promise<string> {
    const arrays = path.join(folder, 'npy');
    await mkdir(arrays, { recursive: true, mode: 0o700 });
    const draft = path.join(arrays, 'input.part');
    const handle = await open(draft, 'w', 0o600);
    try {
      let isFirst = true;
      for (const sample of samples) {
        const { header, values } = await sample.open();
        if (isFirst) await handle.write(npyHead(NPY_TYPES[header.input.type], [samples.length, ...header.input.shape]));
        await handle.write(values);
        isFirst = false;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path.join(arrays, 'input.npy'));
    const labels = Buffer.from(Int32Array.from(samples, ({ label }) => label).buffer);
    const text = Buffer.concat([npyHead(NPY_TYPES.int32, [samples.length]), labels]);
    await writeFile(path.join(arrays, 'labels.npy'), text, { mode: 0o600 });
    return arrays;
  }
}

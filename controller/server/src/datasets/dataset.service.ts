import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describeDataset } from '@espalier/compression';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../common/clock.js';
import { Config } from '../common/config.js';
import { DatasetFormat, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import { DatasetEntity } from './dataset.entity.js';
import { findLayout } from './dataset-layout.js';
import { EXTRACT_LIMITS } from './extract-limit.js';
import { untar } from './untar.js';
import { unzip } from './unzip.js';

interface Source {
  readonly name: string;
  readonly calibrate: string;
  readonly evaluate: string | null;
  readonly sizeBytes: number | null;
  readonly digest: string | null;
}

/** What is known of a data set that holds field samples. */
type FieldSource = Pick<DatasetEntity, 'calibrate' | 'evaluate' | 'fieldSamples' | 'fieldOf' | 'baseId'>;

/** Data sets: paths on the controller's machine, or uploads unpacked below the data directory by their digest. */
@Injectable()
export class DatasetService {
  constructor(
    private readonly db: DataSource,
    private readonly config: Config,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  /** Registers data that stays where it is. The readers' coded errors say what is wrong with a SPEC. */
  async register(name: string, calibrate: string, evaluate: string | null): Promise<DatasetEntity> {
    return this.#save({ name, calibrate, evaluate, sizeBytes: null, digest: null });
  }

  /** Registers data that holds samples which devices kept; whoever wrote them removes them too. */
  async registerField(id: string, name: string, { calibrate, evaluate, ...of }: FieldSource): Promise<DatasetEntity> {
    return this.#save({ name, calibrate, evaluate, sizeBytes: null, digest: null }, of, id);
  }

  /** Takes an uploaded .zip or .tar.gz. The same archive again gives the data set there is. */
  async upload(name: string, archive: string, sizeBytes: number, signal?: AbortSignal): Promise<DatasetEntity> {
    const digest = await sha256(archive);
    const known = await this.db.getRepository(DatasetEntity).findOneBy({ digest });
    if (known) return known;
    const folder = path.join(this.config.dataDir, 'datasets', digest);
    const files = await unpack(archive, folder, signal);
    try {
      return await this.#save({ name, ...findLayout(folder, files), sizeBytes, digest });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async get(id: string): Promise<DatasetEntity> {
    const dataset = await this.db.getRepository(DatasetEntity).findOneBy({ id });
    if (!dataset) throw NotFound({ what: 'data set', id });
    return dataset;
  }

  list(): Promise<DatasetEntity[]> {
    return this.db.getRepository(DatasetEntity).find({ order: { createdAt: 'DESC' } });
  }

  async #save(
    source: Source,
    of: Omit<FieldSource, 'calibrate' | 'evaluate'> = { fieldSamples: 0, fieldOf: null, baseId: null },
    id = newId('dat'),
  ): Promise<DatasetEntity> {
    const calibration = await describeDataset(source.calibrate);
    const evaluation = source.evaluate === null ? null : await describeDataset(source.evaluate);
    const dataset: DatasetEntity = {
      id,
      ...source,
      ...of,
      labelled: evaluation ? evaluation.labelled : calibration.labelled,
      calibrationSamples: calibration.n,
      evaluationSamples: evaluation?.n ?? 0,
      sampleShape: [...calibration.sampleShape],
      createdAt: this.clock.now(),
    };
    await this.db.getRepository(DatasetEntity).insert(dataset);
    this.bus.emit('dataset', dataset.id);
    return dataset;
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Unpacks beside the folder and renames, so that a folder by digest is always whole. */
async function unpack(archive: string, folder: string, signal?: AbortSignal): Promise<string[]> {
  const handle = await open(archive);
  const magic = Buffer.alloc(4);
  await handle.read(magic, 0, 4, 0);
  await handle.close();
  // Local file header of a zip [APPNOTE 4.3.7], gzip member header [RFC 1952, 2.3.1].
  const kind = magic.readUInt32BE(0) === 0x504b0304 ? 'zip' : magic.readUInt16BE(0) === 0x1f8b ? 'tar.gz' : null;
  if (!kind) throw DatasetFormat({});
  const draft = `${folder}.${randomUUID()}.tmp`;
  await mkdir(draft, { recursive: true });
  try {
    const files = await (kind === 'zip' ? unzip : untar)(archive, draft, EXTRACT_LIMITS, signal);
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
    return files;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Models as this device's runtime lays them out: the graph after optimization, the weights packed for this CPU in a file of
 * their own [ONNX Runtime, session.save_external_prepacked_constant_initializers]. Opening one packs nothing, and sessions of
 * the same file share its pages: MobileNetV2 opens in 14 ms, not 80, and computes the same to the bit.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { canonicalDigest, type Facts, type SessionOptions } from '@espalier/proto';
import { ModelWorker } from './model-worker.js';
import { PREPARED } from './onnx.js';
import { onnxRuntimeVersion } from './version.js';

/** The model that serves, the one before, and two that may come back. */
const KEPT = 4;

export class PreparedModels {
  constructor(
    private readonly folder: string,
    private readonly cpu: Facts['cpu'],
  ) {}

  /** The file to open in a model's place; null when it was not prepared for this device. */
  find(modelDigest: string, options: SessionOptions): string | null {
    const file = path.join(this.#place(modelDigest, options), PREPARED);
    return existsSync(file) ? file : null;
  }

  /** Prepares a model: takes what opening it takes, on a thread of its own. @throws ESP_MODEL_LOAD_FAILED, errors of the disk */
  async prepare(file: string, modelDigest: string, options: SessionOptions): Promise<void> {
    const place = this.#place(modelDigest, options);
    const draft = `${place}.new`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    try {
      const worker = await ModelWorker.open(file, options, { saveTo: path.join(draft, PREPARED) });
      await worker.close();
      rmSync(place, { recursive: true, force: true });
      renameSync(draft, place);
      this.#collect(path.basename(place));
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }

  /** Forgets one that does not open: another runtime may have written it, or a disk that failed. */
  drop(modelDigest: string, options: SessionOptions): void {
    rmSync(this.#place(modelDigest, options), { recursive: true, force: true });
  }

  #collect(newest: string): void {
    const ageOf = (name: string): number => statSync(path.join(this.folder, name)).mtimeMs;
    const names = readdirSync(this.folder).filter((name) => name !== newest);
    for (const name of names.sort((a, b) => ageOf(b) - ageOf(a)).slice(KEPT - 1))
      rmSync(path.join(this.folder, name), { recursive: true, force: true });
  }

  /** Packing depends on the instructions of the CPU; a disk that moves to another device must not bring it along. */
  #place(modelDigest: string, options: SessionOptions): string {
    const { model, implementer, parts, features } = this.cpu;
    const key = { modelDigest, options, runtime: onnxRuntimeVersion(), model, implementer, parts, features };
    return path.join(this.folder, createHash('sha256').update(canonicalDigest(key)).digest('hex').slice(0, 32));
  }
}

import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Injectable } from '@nestjs/common';
import { Config } from '../common/config.js';
import { writeFileDurably } from '../common/durable-file.js';

/** The sealed bytes of field samples, as devices sent them: `field-samples/<model>/<sample>.jwe`. */
@Injectable()
export class SampleFiles {
  readonly #root: string;

  constructor(config: Config) {
    this.#root = config.under('field-samples');
  }

  /** @throws ESP_DISK_FULL */
  async write(modelId: string, id: string, sealed: Uint8Array): Promise<void> {
    await mkdir(path.join(this.#root, modelId), { recursive: true, mode: 0o700 });
    await writeFileDurably(this.#file(modelId, id), (handle) => handle.writeFile(sealed), { mode: 0o600 });
  }

  read(modelId: string, id: string): Promise<Buffer> {
    return readFile(this.#file(modelId, id));
  }

  async remove(modelId: string, id: string): Promise<void> {
    await rm(this.#file(modelId, id), { force: true });
  }

  async removeAll(modelId: string): Promise<void> {
    await rm(path.join(this.#root, modelId), { recursive: true, force: true });
  }

  /** Deletes the files that no row names: of a controller that was killed between the two, or of a deleted model. */
  async keepOnly(known: ReadonlySet<string>): Promise<void> {
    const models = await readdir(this.#root).catch(() => []);
    for (const modelId of models) {
      const names = await readdir(path.join(this.#root, modelId));
      const stray = names.filter((name) => !known.has(name.replace(/\.jwe$/, '')));
      for (const name of stray) await rm(path.join(this.#root, modelId, name), { force: true });
      if (stray.length === names.length) await this.removeAll(modelId);
    }
  }

  #file(modelId: string, id: string): string {
    return path.join(this.#root, modelId, `${id}.jwe`);
  }
}

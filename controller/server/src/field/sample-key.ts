import { createPrivateKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type FieldSample, SampleRecipient } from '@espalier/proto';
import { openSample } from '@espalier/proto/seal';
import { Injectable } from '@nestjs/common';
import { Config } from '../common/config.js';
import { writeFileDurably } from '../common/durable-file.js';

/** The X25519 key that field samples are sealed to: `keys/field-samples.key` (mode 0600), made when it is first needed. */
@Injectable()
export class SampleKey {
  #key: Promise<JsonWebKey> | null = null;

  constructor(private readonly config: Config) {}

  /** The public half, as devices get it. */
  async recipient(): Promise<SampleRecipient> {
    return SampleRecipient.parse(await this.#private());
  }

  /** @throws whatever is wrong with the sample */
  async open(sealed: Uint8Array, deviceId: string): Promise<FieldSample> {
    return openSample(sealed, (await this.#private()) as Parameters<typeof openSample>[1], deviceId);
  }

  #private(): Promise<JsonWebKey> {
    this.#key ??= this.#load().catch((error: unknown) => {
      this.#key = null;
      throw error;
    });
    return this.#key;
  }

  async #load(): Promise<JsonWebKey> {
    const file = this.config.under('keys', 'field-samples.key');
    if (!existsSync(file)) {
      const pem = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
      await writeFileDurably(file, (handle) => handle.writeFile(pem), { mode: 0o600 });
    }
    return createPrivateKey(await readFile(file, 'utf8')).export({ format: 'jwk' });
  }
}

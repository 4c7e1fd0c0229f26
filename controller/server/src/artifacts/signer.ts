import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  keyId,
  type Manifest,
  type SamplingOrder,
  type SamplingRequest,
  type SignedManifest,
  signatureOf,
  signManifest,
  type TimingOrder,
  type TimingRequest,
} from '@espalier/proto';
import type { Config } from '../common/config.js';
import { writeFileDurably } from '../common/durable-file.js';

/** Signs manifests and orders with the controller's ed25519 key, which never leaves `keys/` of the data directory (mode 0600). */
export class ManifestSigner {
  readonly keyid: string;
  readonly #publicPem: string;

  private constructor(private readonly privateKey: KeyObject) {
    this.#publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
    this.keyid = keyId(this.#publicPem);
  }

  /** Reads the key, or makes it at the first start. */
  static async open(config: Config): Promise<ManifestSigner> {
    const file = config.under('keys', 'artifact-signing.key');
    if (!existsSync(file)) {
      const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
      await writeFileDurably(file, (handle) => handle.writeFile(pem), { mode: 0o600 });
    }
    return new ManifestSigner(createPrivateKey(await readFile(file, 'utf8')));
  }

  sign(manifest: Manifest): SignedManifest {
    return signManifest(manifest, this.privateKey, this.keyid);
  }

  order(request: TimingRequest): TimingOrder {
    return { request, signature: signatureOf(request, this.privateKey, this.keyid) };
  }

  sampling(request: SamplingRequest): SamplingOrder {
    return { request, signature: signatureOf(request, this.privateKey, this.keyid) };
  }

  /** Key id to SPKI PEM of every key whose signatures devices are to trust; given to them at enrolment. */
  publicKeys(): Record<string, string> {
    return { [this.keyid]: this.#publicPem };
  }
}

/** A model that may serve: what is opened, under which name, and what must hold before it does. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Manifest, SessionOptions, SignedManifest } from '@espalier/proto';
import { type Answering, checkCase, readGolden } from '../runtime/golden.js';

export interface Candidate {
  readonly name: string;
  readonly version: string;
  /** Digest of the artifact; null for a local file. */
  readonly digest: string | null;
  readonly manifest: Manifest | null;
  readonly options: SessionOptions;
  readonly file: string;
  /** Under which plans of this model are kept. */
  readonly planDigest: string;
  /** What a golden case shows to be wrong, in words, or null. */
  check(model: Answering): Promise<string | null>;
}

/** A published build. */
export function slotCandidate(slot: string): Candidate {
  const { manifest } = SignedManifest.parse(JSON.parse(readFileSync(path.join(slot, 'manifest.json'), 'utf8')));
  const digest = path.basename(slot);
  return {
    ...{ name: manifest.model.name, version: manifest.model.version, digest, manifest, planDigest: digest },
    ...{ options: manifest.runtime.sessionOptions, file: path.join(slot, manifest.entry) },
    async check(model) {
      if (!existsSync(path.join(slot, manifest.golden.path))) return null;
      const [first] = readGolden(slot, manifest);
      return first ? checkCase(model, first, manifest) : null;
    },
  };
}

/** A file that no controller knows. */
export const fileCandidate = (file: string, name: string, planDigest: string): Candidate => ({
  ...{ name, version: '1', digest: null, manifest: null, options: SessionOptions.parse({}), file, planDigest },
  check: async () => null,
});

/** A model that may serve: what is opened, under which name, and what must hold before it does. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Manifest, SessionOptions, SignedManifest } from '@espalier/proto';
import { checkCase, readGolden, toleranceOf } from '../runtime/golden.js';
import { ONNX_RUNTIME, type OtherRuntime, versionHere } from '../runtime/others.js';
import type { Check } from '../runtime/tuning/admit.js';

export interface Candidate {
  readonly name: string;
  readonly version: string;
  /** Digest of the artifact; null for a local file. */
  readonly digest: string | null;
  readonly manifest: Manifest | null;
  readonly options: SessionOptions;
  readonly file: string;
  /** The same network for other runtimes of this device. */
  readonly others: readonly OtherRuntime[];
  /** Under which plans of this model are kept. */
  readonly planDigest: string;
  readonly check: Check;
}

/** Files that were fetched for runtimes that are here; one that came later has none until the next build. */
function othersIn(slot: string, { alternatives = [], inputs, outputs }: Manifest): OtherRuntime[] {
  return alternatives.flatMap(({ adapter, entry }) => {
    const file = path.join(slot, entry);
    const version = existsSync(file) ? versionHere(adapter) : null;
    return version === null ? [] : [{ adapter, version, file, inputs, outputs }];
  });
}

/** A published build. */
export function slotCandidate(slot: string): Candidate {
  const { manifest } = SignedManifest.parse(JSON.parse(readFileSync(path.join(slot, 'manifest.json'), 'utf8')));
  const digest = path.basename(slot);
  return {
    ...{ name: manifest.model.name, version: manifest.model.version, digest, manifest, planDigest: digest },
    ...{ options: manifest.runtime.sessionOptions, file: path.join(slot, manifest.entry) },
    others: othersIn(slot, manifest),
    async check(model, adapter) {
      if (!existsSync(path.join(slot, manifest.golden.path))) return null;
      // The self-test has seen ONNX Runtime answer all of them; other runtimes were in none.
      const cases = readGolden(slot, manifest).slice(0, adapter === ONNX_RUNTIME ? 1 : undefined);
      for (const one of cases) {
        const cause = await checkCase(model, one, toleranceOf(manifest, adapter));
        if (cause) return cause;
      }
      return null;
    },
  };
}

/** A file that no controller knows. */
export const fileCandidate = (file: string, name: string, planDigest: string): Candidate => ({
  ...{ name, version: '1', digest: null, manifest: null, options: SessionOptions.parse({}), file, planDigest },
  others: [],
  check: async () => null,
});

/** A published build of the sample with a file for each runtime, as a device holds it. */
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { buildVariant } from '@espalier/compression/recipe/build';
import type { BuiltVariant } from '@espalier/compression/recipe/options';
import { type Alternative, artifactDigest, keyId, type Manifest, signManifest } from '@espalier/proto';
import { root } from './process.ts';

export interface TwoFiles {
  readonly folder: string;
  readonly built: BuiltVariant;
}

/** Builds the sample for x64 into a folder. */
export async function buildTwoFiles(folder: string): Promise<TwoFiles> {
  const built = await buildVariant({
    ...{ modelPath: path.join(root, 'deploy/sample/fashion-ds.onnx'), modelName: 'sample', recipe: 'int8' },
    profile: profileById('x64-avx512-vnni', await loadProfiles()),
    ...{ calibrate: 'random:8', evaluate: null, method: 'minmax', preprocess: null, outDir: folder },
  });
  return { folder, built };
}

/** Writes the build with a signed manifest. @param change what the manifest says of the file for LiteRT instead */
export function writeSlot(slot: string, { folder, built }: TwoFiles, change: Partial<Alternative> = {}): Manifest {
  const { files, entry, alternatives, inputs, outputs, golden, report, sessionOptions } = built;
  const manifest: Manifest = {
    ...{
      version: 1,
      digest: artifactDigest(files),
      files,
      model: { name: 'm', version: '1' },
      profile: report.profile,
    },
    ...{ releaseCounter: 1, format: 'onnx', entry, inputs, outputs, golden, preprocess: null, labels: null },
    alternatives: alternatives.map((one) => ({ ...one, ...change })),
    runtime: { adapter: 'onnxruntime', minVersion: report.runtime.version, sessionOptions },
    ...{ createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2036-01-01T00:00:00.000Z' },
  };
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  cpSync(folder, slot, { recursive: true });
  writeFileSync(path.join(slot, 'manifest.json'), JSON.stringify(signManifest(manifest, privateKey, keyId(pem))));
  return manifest;
}

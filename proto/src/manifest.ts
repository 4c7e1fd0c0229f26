import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { canonicalBytes, canonicalDigest } from './canonical.js';
import { Preprocess } from './preprocess.js';

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a lower-case hex SHA-256');

/** One file of an artifact. Paths are relative, forward slashes, and never leave the slot. */
export const ArtifactFile = z.object({
  path: z.string().regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[\w./-]+$/, 'a relative path inside the artifact'),
  bytes: z.int().nonnegative(),
  sha256: Sha256,
});
export type ArtifactFile = z.infer<typeof ArtifactFile>;

/** A model input or output: `shape` holds numbers, and names for what may vary (the batch). */
export const TensorSpec = z.object({
  name: z.string(),
  type: z.string(),
  shape: z.array(z.union([z.int(), z.string()])),
});
export type TensorSpec = z.infer<typeof TensorSpec>;

/** The ONNX Runtime session options that proof, self-test and serving all use, so that they see the same numbers. */
export const SessionOptions = z.object({
  graphOptimizationLevel: z.enum(['disabled', 'basic', 'extended', 'layout', 'all']).default('all'),
  intraOpNumThreads: z.int().positive().default(1),
  interOpNumThreads: z.int().positive().default(1),
  executionMode: z.enum(['sequential', 'parallel']).default('sequential'),
  enableMemPattern: z.boolean().default(true),
  enableCpuMemArena: z.boolean().default(true),
  extra: z.record(z.string(), z.string()).default({}),
});
export type SessionOptions = z.infer<typeof SessionOptions>;

/** Golden inputs with the outputs the controller saw; `tolerance` is one output step (absolute), per output name. */
export const GoldenFile = z.object({
  cases: z.array(
    z.object({
      inputs: z.record(z.string(), z.object({ shape: z.array(z.int()), base64: z.string() })),
      outputs: z.record(z.string(), z.object({ shape: z.array(z.int()), base64: z.string() })),
    }),
  ),
});
export type GoldenFile = z.infer<typeof GoldenFile>;

/**
 * The same network in a file for another runtime; a device that has the runtime may serve it, if that answers the golden cases
 * within this tolerance and is faster there. Kernels round differently, so it has a tolerance of its own.
 */
export const Alternative = z.object({
  adapter: z.string(),
  entry: z.string(),
  tolerance: z.record(z.string(), z.number()),
});
export type Alternative = z.infer<typeof Alternative>;

/** Manifest, version 1: what an artifact is, for whom, and what it must compute. Signed; see {@link signManifest}. */
export const Manifest = z.object({
  version: z.literal(1),
  digest: Sha256,
  files: z.array(ArtifactFile).min(1),
  model: z.object({ name: z.string(), version: z.string() }),
  profile: z.string(),
  /** Grows with every release of a model for a profile; a device refuses a lower one (anti-rollback). */
  releaseCounter: z.int().nonnegative(),
  format: z.enum(['onnx']),
  runtime: z.object({ adapter: z.literal('onnxruntime'), minVersion: z.string(), sessionOptions: SessionOptions }),
  entry: z.string(),
  /** Absent in manifests of before, and where there are none. A file that only these name is fetched where it can be used. */
  alternatives: z.array(Alternative).optional(),
  inputs: z.array(TensorSpec),
  outputs: z.array(TensorSpec),
  preprocess: Preprocess.nullable(),
  labels: z.array(z.string()).nullable(),
  golden: z.object({ path: z.string(), tolerance: z.record(z.string(), z.number()) }),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type Manifest = z.infer<typeof Manifest>;

export const Signature = z.object({ keyid: z.string(), alg: z.literal('ed25519'), value: z.string() });
export type Signature = z.infer<typeof Signature>;

/**
 * A manifest with its ed25519 signature over the RFC 8785 bytes of `manifest`. Fields that this program does not know are kept,
 * so that the signature holds over those of a newer one, too.
 */
export const SignedManifest = z.object({ manifest: Manifest.loose(), signature: Signature });
export interface SignedManifest {
  readonly manifest: Manifest;
  readonly signature: Signature;
}

/** An artifact's digest: the canonical digest of its file list, so it names content and nothing else. */
export const artifactDigest = (files: readonly ArtifactFile[]): string =>
  canonicalDigest(
    [...files].sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
  );

/** The files of an artifact that a device with these runtimes has a use for: all but those of runtimes that it lacks. */
export function filesFor(
  { files, entry, golden, alternatives = [] }: Pick<Manifest, 'files' | 'entry' | 'golden' | 'alternatives'>,
  adapters: ReadonlySet<string>,
): ArtifactFile[] {
  const used = new Set([
    entry,
    golden.path,
    ...alternatives.filter((one) => adapters.has(one.adapter)).map((one) => one.entry),
  ]);
  const useless = new Set(alternatives.map((one) => one.entry).filter((path) => !used.has(path)));
  return files.filter(({ path }) => !useless.has(path));
}

/** A key's id: the canonical digest of its public PEM, shortened to 16 hex digits. */
export const keyId = (publicKeyPem: string): string => canonicalDigest(publicKeyPem.trim()).slice(0, 16);

/** Signs a document with an ed25519 private key [RFC 8032]. */
export function signatureOf(document: unknown, privateKey: KeyObject, keyid: string): Signature {
  return { keyid, alg: 'ed25519', value: sign(null, canonicalBytes(document), privateKey).toString('base64') };
}

/** True only if a trusted key (PEM by key id) made the signature over exactly this document. */
export function isSignatureOf(
  document: unknown,
  { keyid, value }: Signature,
  trustedKeys: Readonly<Record<string, string>>,
): boolean {
  const pem = trustedKeys[keyid];
  if (!pem) return false;
  return verify(null, canonicalBytes(document), createPublicKey(pem), Buffer.from(value, 'base64'));
}

export const signManifest = (manifest: Manifest, privateKey: KeyObject, keyid: string): SignedManifest => ({
  manifest,
  signature: signatureOf(manifest, privateKey, keyid),
});

/** True only if a trusted key (PEM by key id) made the signature over exactly this manifest. */
export const verifyManifest = (
  { manifest, signature }: SignedManifest,
  trustedKeys: Readonly<Record<string, string>>,
): boolean => isSignatureOf(manifest, signature, trustedKeys);

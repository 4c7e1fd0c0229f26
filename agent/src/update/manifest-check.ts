/** What a manifest must prove before a byte of its artifact is used. Pure; refuses by coded error. */
import { artifactDigest, SignedManifest, type Target, verifyManifest } from '@espalier/proto';
import {
  ManifestExpired,
  ManifestMismatch,
  PayloadInvalid,
  ProfileMismatch,
  ReleaseRollback,
  SignatureInvalid,
} from '../errors.js';

export interface Trust {
  /** Key id to ed25519 public key (PEM). */
  readonly keys: Readonly<Record<string, string>>;
  readonly nowMs: number;
  /** Profile of this device as the controller stated it; null while it has none. */
  readonly profile: string | null;
  readonly releases: ReadonlyMap<string, number>;
}

export const releaseKey = (model: string, profile: string): string => `${model}/${profile}`;

export function parseManifest(bytes: Uint8Array): SignedManifest {
  try {
    return SignedManifest.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw PayloadInvalid({ what: 'The manifest', problem: (error as Error).message }, { cause: error });
  }
}

/**
 * Refuses arbitrary software and wrong keys (signature), mix-and-match (digest, model, profile against the rollout),
 * freeze (expiry, on a clock that never goes back) and rollback (release counter).
 */
export function checkManifest(signed: SignedManifest, target: Target, trust: Trust): void {
  const { manifest, signature } = signed;
  if (!isSigned(signed, trust.keys)) throw SignatureInvalid({ keyid: signature.keyid });
  const promises = [
    ['the digest', target.digest, manifest.digest],
    ['the digest of its files', target.digest, artifactDigest(manifest.files)],
    ['the model', target.model, manifest.model.name],
    ['the version', target.modelVersion, manifest.model.version],
  ] as const;
  for (const [field, wanted, found] of promises) {
    if (wanted !== found) throw ManifestMismatch({ field, wanted, found });
  }
  if (trust.profile && manifest.profile !== trust.profile) {
    throw ProfileMismatch({ wanted: trust.profile, found: manifest.profile });
  }
  if (Date.parse(manifest.expiresAt) <= trust.nowMs) {
    throw ManifestExpired({ expiresAt: manifest.expiresAt, now: new Date(trust.nowMs).toISOString() });
  }
  const floor = trust.releases.get(releaseKey(manifest.model.name, manifest.profile)) ?? 0;
  if (manifest.releaseCounter < floor) {
    throw ReleaseRollback({ model: manifest.model.name, counter: manifest.releaseCounter, floor });
  }
  const paths = new Set(manifest.files.map((file) => file.path));
  const named = [manifest.entry, manifest.golden.path, ...(manifest.alternatives ?? []).map(({ entry }) => entry)];
  for (const path of named) {
    if (!paths.has(path)) throw PayloadInvalid({ what: 'The manifest', problem: `it lists no file ${path}` });
  }
}

/** A key of another kind, or a signature that is no base64, is no signature; neither is worth a stack trace. */
function isSigned(signed: SignedManifest, keys: Trust['keys']): boolean {
  try {
    return verifyManifest(signed, keys);
  } catch {
    return false;
  }
}

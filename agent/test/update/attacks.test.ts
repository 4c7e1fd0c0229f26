/** The attacks on an update that SECURITY.md names, each refused by its code before a byte of the artifact is used. */
import { generateKeyPairSync } from 'node:crypto';
import { checkManifest, type Trust } from '@espalier/agent/update/manifest-check';
import { artifactDigest, keyId, type Manifest, SessionOptions, signManifest, type Target } from '@espalier/proto';
import t from 'tap';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const keyid = keyId(pem);
const files = [
  { path: 'model.onnx', bytes: 3, sha256: 'a'.repeat(64) },
  { path: 'golden.json', bytes: 2, sha256: 'b'.repeat(64) },
];
const manifest: Manifest = {
  ...{
    version: 1,
    digest: artifactDigest(files),
    files,
    model: { name: 'm', version: '1' },
    profile: 'x64-avx2',
    releaseCounter: 5,
  },
  ...{
    format: 'onnx',
    runtime: { adapter: 'onnxruntime', minVersion: '1.20.0', sessionOptions: SessionOptions.parse({}) },
  },
  ...{
    entry: 'model.onnx',
    inputs: [],
    outputs: [],
    preprocess: null,
    labels: null,
    golden: { path: 'golden.json', tolerance: {} },
  },
  ...{ createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2027-01-01T00:00:00.000Z' },
};
const target: Target = {
  executionId: 'e',
  rolloutId: 'r',
  model: 'm',
  modelVersion: '1',
  variantId: 'v',
  digest: manifest.digest,
  sizeBytes: 5,
  manifest: { sha256: 'c'.repeat(64), bytes: 9 },
};
const trust: Trust = {
  keys: { [keyid]: pem },
  nowMs: Date.parse('2026-06-01T00:00:00Z'),
  profile: 'x64-avx2',
  releases: new Map([['m/x64-avx2', 5]]),
};
const signed = (change: Partial<Manifest> = {}) => signManifest({ ...manifest, ...change }, privateKey, keyid);

t.test('a good manifest passes, also the release that runs already', async (t) => {
  t.doesNotThrow(() => checkManifest(signed(), target, trust));
});

const other = generateKeyPairSync('ed25519');
const swapped = [{ ...files[0]!, sha256: 'd'.repeat(64) }, files[1]!];
for (const [attack, code, manifestSigned, wanted, trusting] of [
  [
    'arbitrary software: changed after it was signed',
    'ESP_SIGNATURE_INVALID',
    { ...signed(), manifest: { ...manifest, profile: 'arm64-neon' } },
    target,
    trust,
  ],
  [
    'wrong key: signed by someone else',
    'ESP_SIGNATURE_INVALID',
    signManifest(manifest, other.privateKey, keyid),
    target,
    trust,
  ],
  [
    'wrong key: one that is not trusted',
    'ESP_SIGNATURE_INVALID',
    signManifest(manifest, other.privateKey, 'unknown'),
    target,
    trust,
  ],
  ['rollback: an older release', 'ESP_RELEASE_ROLLBACK', signed({ releaseCounter: 4 }), target, trust],
  [
    'freeze: an expired release',
    'ESP_MANIFEST_EXPIRED',
    signed(),
    target,
    { ...trust, nowMs: Date.parse('2028-01-01T00:00:00Z') },
  ],
  ['mix and match: files of another artifact', 'ESP_MANIFEST_MISMATCH', signed({ files: swapped }), target, trust],
  [
    'mix and match: another model',
    'ESP_MANIFEST_MISMATCH',
    signed({ model: { name: 'n', version: '1' } }),
    target,
    trust,
  ],
  ['a build for other hardware', 'ESP_PROFILE_MISMATCH', signed({ profile: 'arm64-neon' }), target, trust],
] as const) {
  t.test(`refuses ${attack}`, async (t) => t.throws(() => checkManifest(manifestSigned, wanted, trusting), { code }));
}

import { generateKeyPairSync } from 'node:crypto';
import {
  artifactDigest,
  canonicalBytes,
  filesFor,
  keyId,
  type Manifest,
  mayAccess,
  SessionOptions,
  SignedManifest,
  signManifest,
  verifyManifest,
} from '@espalier/proto';
import t from 'tap';

const files = [
  { path: 'model.onnx', bytes: 3, sha256: 'a'.repeat(64) },
  { path: 'golden.json', bytes: 2, sha256: 'b'.repeat(64) },
];
const manifest: Manifest = {
  version: 1,
  digest: artifactDigest(files),
  files,
  model: { name: 'm', version: '1' },
  profile: 'x64-avx2',
  releaseCounter: 1,
  format: 'onnx',
  runtime: { adapter: 'onnxruntime', minVersion: '1.20.0', sessionOptions: SessionOptions.parse({}) },
  entry: 'model.onnx',
  inputs: [],
  outputs: [],
  preprocess: null,
  labels: null,
  golden: { path: 'golden.json', tolerance: {} },
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2027-01-01T00:00:00.000Z',
};
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const trusted = { [keyId(pem)]: pem };

t.test('canonical bytes do not depend on the order of keys [RFC 8785, 3.2.3]', async (t) => {
  t.same(canonicalBytes({ b: 1, a: [1.0, 'é'] }), canonicalBytes({ a: [1, 'é'], b: 1 }));
});

t.test('an artifact is named by its files, in whatever order they are listed', async (t) => {
  t.equal(artifactDigest(files), artifactDigest([...files].reverse()));
});

t.test('a signature holds for its manifest and a trusted key only', async (t) => {
  const signed = signManifest(manifest, privateKey, keyId(pem));
  t.ok(verifyManifest(signed, trusted));
  t.notOk(verifyManifest({ ...signed, manifest: { ...manifest, releaseCounter: 2 } }, trusted), 'another counter');
  t.notOk(verifyManifest(signed, {}), 'an unknown key');
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  t.notOk(verifyManifest(signed, { [keyId(pem)]: other }), 'a key under a false id');
});

t.test('a manifest of before is valid, and a field of a newer program is kept under its signature', async (t) => {
  t.equal(SignedManifest.parse(signManifest(manifest, privateKey, keyId(pem))).manifest.alternatives, undefined);
  const newer = signManifest({ ...manifest, invented: [1, 2] } as Manifest, privateKey, keyId(pem));
  t.ok(verifyManifest(SignedManifest.parse(JSON.parse(JSON.stringify(newer))), trusted));
});

t.test('a file for a runtime is fetched where that runtime is, and every other file everywhere', async (t) => {
  const tflite = { path: 'model.tflite', bytes: 4, sha256: 'c'.repeat(64) };
  const two = { ...manifest, files: [...files, tflite] };
  const pathsFor = (one: Manifest, ...adapters: string[]) => filesFor(one, new Set(adapters)).map(({ path }) => path);
  const all = ['model.onnx', 'golden.json', 'model.tflite'];
  t.strictSame(pathsFor(two), all, 'no alternative names it');
  const alternatives = [{ adapter: 'litert', entry: 'model.tflite', tolerance: {} }];
  t.strictSame(pathsFor({ ...two, alternatives }, 'litert'), all);
  t.strictSame(pathsFor({ ...two, alternatives }), ['model.onnx', 'golden.json']);
  const shared = [{ adapter: 'other', entry: 'model.onnx', tolerance: {} }];
  t.strictSame(pathsFor({ ...two, alternatives: shared }), all, 'what the entry needs is never left out');
});

t.test('a device reaches its own branches and no others', async (t) => {
  for (const [action, topic, allowed] of [
    ['publish', 'esp/1/dev-a/up/facts', true],
    ['subscribe', 'esp/1/dev-a/down/#', true],
    ['publish', 'esp/1/dev-b/up/facts', false],
    ['publish', 'esp/1/dev-a/down/desired', false],
    ['subscribe', 'esp/1/dev-b/down/#', false],
    ['subscribe', 'esp/1/+/down/desired', false],
    ['subscribe', '#', false],
    ['publish', '$SYS/x', false],
  ] as const) {
    t.equal(mayAccess('dev-a', action, topic), allowed, `${action} ${topic}`);
  }
});

/** The store: a blob is whole or absent, under the name of its content. */
import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { sha256Hex, verifyManifest } from '@espalier/proto';
import { ArtifactStore } from '@espalier/server/artifacts/artifact-store';
import { ManifestSigner } from '@espalier/server/artifacts/signer';
import t from 'tap';
import { scratchFolder, testConfig } from '../support/controller.ts';

const bytes = Buffer.from('a model');

t.test('bytes, a file and a stream of the same content are one blob', async (t) => {
  const config = testConfig(scratchFolder(t));
  const store = new ArtifactStore(config);
  const blob = await store.putBytes(bytes);
  t.strictSame(blob, { sha256: sha256Hex(bytes), bytes: 7 });
  t.strictSame(await store.putFile(store.pathOf(blob.sha256)), blob);
  async function* halves() {
    yield bytes.subarray(0, 3);
    yield bytes.subarray(3);
  }
  t.strictSame(await store.putStream(halves()), blob);
  t.strictSame(readFileSync(store.pathOf(blob.sha256)), bytes);
  t.strictSame(readdirSync(config.under('artifacts', 'incoming')), [], 'nothing is left over');
});

t.test('it is read from any offset, and not behind its end', async (t) => {
  const store = new ArtifactStore(testConfig(scratchFolder(t)));
  const { sha256 } = await store.putBytes(bytes);
  const { stream, totalBytes } = await store.open(sha256, 2);
  t.equal(totalBytes, 7);
  t.equal(Buffer.concat(await stream.toArray()).toString(), 'model');
  await t.rejects(store.open(sha256, 8), { code: 'ESP_OFFSET_INVALID' });
  await t.rejects(store.open('f'.repeat(64)), { code: 'ESP_BLOB_NOT_FOUND' });
  await t.rejects(store.open('../../keys/ca.key'), { code: 'ESP_BLOB_NOT_FOUND' }, 'a name never becomes a path');
});

t.test('an upload that breaks off or is called off leaves nothing', async (t) => {
  const config = testConfig(scratchFolder(t));
  const store = new ArtifactStore(config);
  async function* broken() {
    yield bytes;
    throw new Error('the line went dead');
  }
  await t.rejects(store.putStream(broken()), { message: 'the line went dead' });
  async function* fine() {
    yield bytes;
  }
  await t.rejects(store.putStream(fine(), AbortSignal.abort()), { name: 'AbortError' });
  t.strictSame(readdirSync(config.under('artifacts', 'incoming')), []);
});

t.test('a full disk is said so, and leaves nothing half written', async (t) => {
  const mounted = path.join(scratchFolder(t), 'small');
  mkdirSync(mounted);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted]).status !== 0)
    return t.comment('skipped: mounting a small disk needs root');
  t.teardown(() => spawnSync('umount', ['-l', mounted]));
  const config = testConfig(mounted);
  await t.rejects(new ArtifactStore(config).putBytes(Buffer.alloc(2_000_000)), { code: 'ESP_DISK_FULL' });
  t.strictSame(readdirSync(config.under('artifacts', 'incoming')), []);
});

t.test('the signing key is made once, kept private, and its signatures hold', async (t) => {
  const config = testConfig(scratchFolder(t));
  const [first, second] = [await ManifestSigner.open(config), await ManifestSigner.open(config)];
  t.equal(first.keyid, second.keyid);
  t.equal(statSync(config.under('keys', 'artifact-signing.key')).mode & 0o777, 0o600);
  t.equal(createPublicKey(first.publicKeys()[first.keyid]!).asymmetricKeyType, 'ed25519');
  const signed = first.sign({ version: 1, digest: 'a'.repeat(64) } as never);
  t.ok(verifyManifest(signed, second.publicKeys()));
  t.notOk(verifyManifest({ ...signed, manifest: { ...signed.manifest, digest: 'b'.repeat(64) } }, second.publicKeys()));
});

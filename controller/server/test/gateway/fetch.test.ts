/** Artifacts over gRPC: resumable from any offset, nothing buffered for a reader that stops, only blobs of the store. */
import { createHash, randomBytes } from 'node:crypto';
import { ArtifactsClient } from '@espalier/proto/grpc';
import { ArtifactStore } from '@espalier/server/artifacts/artifact-store';
import * as grpc from '@grpc/grpc-js';
import t from 'tap';
import { openController, scratchFolder, signInAsAdmin, testConfig } from '../support/controller.ts';
import { enrolDevice, fetchBlob, mutualTls } from '../support/device.ts';

const dataDir = scratchFolder(t);
const controller = await openController(dataDir);
t.teardown(() => controller.close());
const device = await enrolDevice(await signInAsAdmin(controller));
const content = randomBytes(3_000_000);
const { sha256 } = await new ArtifactStore(testConfig(dataDir)).putBytes(content);

t.test('a blob comes whole, in messages far below the limit of 4 MiB', async (t) => {
  const parts = await fetchBlob(device, sha256);
  t.equal(Number(parts[0]?.totalBytes), content.length);
  t.ok(parts.every(({ data }) => data.length <= 1 << 20));
  t.equal(
    createHash('sha256')
      .update(Buffer.concat(parts.map(({ data }) => data)))
      .digest('hex'),
    sha256,
  );
});

t.test('a cut download goes on where it stopped', async (t) => {
  const parts = await fetchBlob(device, sha256, 2_999_000);
  t.equal(Number(parts[0]?.offset), 2_999_000);
  t.strictSame(Buffer.concat(parts.map(({ data }) => data)), content.subarray(2_999_000));
  t.strictSame(await fetchBlob(device, sha256, content.length), [], 'and at the end nothing is left to send');
});

for (const [name, wanted, offset, code] of [
  ['an unknown blob', '0'.repeat(64), 0, grpc.status.NOT_FOUND],
  ['a path instead of a digest', '../../keys/ca.key', 0, grpc.status.NOT_FOUND],
  ['an offset behind the end', sha256, content.length + 1, grpc.status.OUT_OF_RANGE],
] as const) {
  t.test(`${name} is refused at once`, async (t) => {
    await t.rejects(fetchBlob(device, wanted, offset), { code });
  });
}

t.test('a reader that stops reading holds the writer; its deadline ends the call', async (t) => {
  const big = await new ArtifactStore(testConfig(dataDir)).putBytes(randomBytes(64_000_000));
  const before = process.memoryUsage().arrayBuffers;
  const client = new ArtifactsClient(device.info.grpcUrl, mutualTls(device));
  t.teardown(() => client.close());
  const call = client.fetch({ sha256: big.sha256, offset: 0n }, { deadline: Date.now() + 1500 } as never);
  const ended = new Promise<grpc.ServiceError>((resolve) => call.once('error', resolve));
  await new Promise((resolve) => call.once('readable', resolve));
  await new Promise((resolve) => setTimeout(resolve, 700));
  const held = process.memoryUsage().arrayBuffers - before;
  t.ok(held < 32_000_000, `${(held / 1e6).toFixed(0)} MB in memory for a blob of 64 MB`);
  call.resume();
  await Promise.race([ended, new Promise((resolve) => call.once('end', resolve))]);
});

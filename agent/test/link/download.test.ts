/** Downloads against a real gRPC server that misbehaves in the ways that a network or an attacker can. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { download } from '@espalier/agent/link/download';
import type { Rpc } from '@espalier/agent/link/rpc';
import { ArtifactsClient, type ArtifactsServer, ArtifactsService } from '@espalier/proto/grpc';
import * as grpc from '@grpc/grpc-js';
import t from 'tap';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-download-'));
const content = randomBytes(300_000);
const sha256 = createHash('sha256').update(content).digest('hex');
const CHUNK = 64 * 1024;

type Fetch = ArtifactsServer['fetch'];
let answer: Fetch;
const offsets: number[] = [];
const server = new grpc.Server();
server.addService(ArtifactsService, {
  fetch: (call: Parameters<Fetch>[0]) => {
    offsets.push(Number(call.request.offset));
    answer(call);
  },
} as unknown as grpc.UntypedServiceImplementation);
const port = await new Promise<number>((resolve, reject) =>
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, found) =>
    error ? reject(error) : resolve(found),
  ),
);
const client = new ArtifactsClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
const rpc = { fetch: (digest: string, offset: number) => client.fetch({ sha256: digest, offset: BigInt(offset) }) };
t.teardown(() => {
  client.close();
  server.forceShutdown();
  rmSync(scratch, { recursive: true, force: true });
});

/** Sends from the asked offset to `end`, then ends the stream or breaks it. */
const serve =
  (end: number, then: 'end' | 'break' = 'end'): Fetch =>
  (call) => {
    for (let at = Number(call.request.offset); at < end; at += CHUNK) {
      call.write({
        offset: BigInt(at),
        totalBytes: BigInt(content.length),
        data: content.subarray(at, Math.min(at + CHUNK, end)),
      });
    }
    if (then === 'end') call.end();
    else call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'cut' });
  };

let files = 0;
function fetchIt(bytes = content.length, signal = new AbortController().signal): { file: string; done: Promise<void> } {
  offsets.length = 0;
  const file = path.join(scratch, `${++files}.part`);
  return { file, done: download({ rpc: () => rpc as unknown as Rpc, sha256, bytes, file, signal, random: () => 0 }) };
}

t.test('a whole blob arrives', async (t) => {
  answer = serve(content.length);
  const { file, done } = fetchIt();
  await done;
  t.ok(readFileSync(file).equals(content));
});

t.test('after each cut it goes on where it stopped', async (t) => {
  let calls = 0;
  answer = (call) => (++calls < 3 ? serve(calls * 100_000, 'break')(call) : serve(content.length)(call));
  const { file, done } = fetchIt();
  await done;
  t.ok(readFileSync(file).equals(content));
  t.ok(offsets.length >= 3 && offsets.at(-1)! > 0, `asked from ${offsets}`);
  t.strictSame(
    [...offsets].sort((a, b) => a - b),
    offsets,
    'and never from the beginning again',
  );
});

t.test('endless data: one byte more than promised ends it', async (t) => {
  answer = serve(content.length);
  const { file, done } = fetchIt(100_000);
  await t.rejects(done, { code: 'ESP_LENGTH_MISMATCH' });
  t.ok(readFileSync(file).length <= 100_000, 'and nothing above the promise was written');
});

t.test('data from another place of the blob is not taken', async (t) => {
  let calls = 0;
  answer = (call) => {
    if (++calls > 1) return serve(content.length)(call);
    call.write({ offset: 4096n, totalBytes: BigInt(content.length), data: content.subarray(4096, 8192) });
    call.end();
  };
  const { file, done } = fetchIt();
  await done;
  t.ok(readFileSync(file).equals(content));
});

t.test('a blob that is not there is asked for three times, no more', async (t) => {
  answer = (call) => call.emit('error', { code: grpc.status.NOT_FOUND, details: 'no such blob' });
  await t.rejects(fetchIt().done, { code: 'ESP_ARTIFACT_GONE', details: { tries: 3 } });
  t.equal(offsets.length, 3);
});

t.test('a canceled download stops at once and keeps its part', async (t) => {
  const stop = new AbortController();
  answer = (call) => {
    call.write({ offset: 0n, totalBytes: BigInt(content.length), data: content.subarray(0, CHUNK) });
    setTimeout(() => stop.abort(), 100);
  };
  const { file, done } = fetchIt(content.length, stop.signal);
  await t.rejects(done, { name: 'AbortError' });
  t.equal(readFileSync(file).length, CHUNK);
});

t.test('a part longer than the promise is refused unread', async (t) => {
  answer = serve(content.length);
  const file = path.join(scratch, 'long.part');
  writeFileSync(file, content);
  const request = {
    rpc: () => rpc as unknown as Rpc,
    sha256,
    file,
    signal: new AbortController().signal,
    random: () => 0,
  };
  await t.rejects(download({ ...request, bytes: 10 }), { code: 'ESP_LENGTH_MISMATCH' });
});

/** The client's side of a Unix socket: answers in pieces, connections that end, requests that are given up. */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { parseHead, UnixConnections } from '../../client/dist/unix-connections.js';

// A socket's path has room for a hundred bytes.
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-unix-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
let files = 0;

const answer = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;

/** A server that does with each request what it is told to. */
async function server(
  t: { teardown(end: () => void): void },
  file: string,
  reply: (socket: net.Socket, nth: number) => void,
): Promise<void> {
  let requests = 0;
  const one = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => reply(socket, requests++));
  });
  await new Promise<void>((resolve) => one.listen(file, resolve));
  t.teardown(() => one.close());
}

t.test('a head is read when it is complete', async (t) => {
  t.equal(parseHead(Buffer.from('HTTP/1.1 200 OK\r\nContent-Le')), null);
  t.strictSame(parseHead(Buffer.from('HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\n\r\nrest')), {
    ...{ status: 429, headers: { 'retry-after': '1' }, bytes: 41 },
  });
  t.throws(() => parseHead(Buffer.from('SSH-2.0\r\n\r\n')), /begins with SSH/);
});

t.test('answers byte by byte; one connection is used again, two requests at once take two', async (t) => {
  const file = path.join(scratch, `s${++files}`);
  await server(t, file, (socket, nth) => {
    const bytes = Buffer.from(answer(`number ${nth}`));
    let at = 0;
    const step = (): void => {
      if (at < bytes.length && socket.write(bytes.subarray(at, ++at))) setImmediate(step);
    };
    step();
  });
  const connections = new UnixConnections(file);
  t.teardown(() => connections.close());
  const ask = async (): Promise<string> => (await connections.send([Buffer.from('x')])).body.toString();
  t.equal(await ask(), 'number 0');
  t.equal(await ask(), 'number 1');
  t.strictSame((await Promise.all([ask(), ask()])).sort(), ['number 2', 'number 3']);
});

t.test('an answer that is cut off, says no length, or is given up, fails its own request only', async (t) => {
  const file = path.join(scratch, `s${++files}`);
  await server(t, file, (socket, nth) => {
    if (nth === 0) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf');
    else if (nth === 1) socket.write('HTTP/1.1 200 OK\r\n\r\n');
    else if (nth === 3) socket.write(answer('last', 'Connection: close\r\n'));
    else if (nth > 3) socket.write(answer('well'));
  });
  const connections = new UnixConnections(file);
  t.teardown(() => connections.close());
  const ask = (signal?: AbortSignal) => connections.send([Buffer.from('x')], signal);
  await t.rejects(ask(), /ended before the answer/);
  await t.rejects(ask(), /does not say its length/);
  await t.rejects(ask(AbortSignal.timeout(50)), { name: 'TimeoutError' });
  t.equal((await ask()).body.toString(), 'last');
  t.equal((await ask()).body.toString(), 'well');
});

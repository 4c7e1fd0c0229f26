/** gRPC's framing, whatever the pieces in which a stream comes. */
import { frame, headerText, MessageReader, timeoutMs } from '@espalier/agent/serve/grpc-framing';
import t from 'tap';

t.test('messages come out as they went in, however they are cut', async (t) => {
  const messages = [0, 1, 4, 40, 0, 7].map((bytes, at) => Buffer.alloc(bytes, at + 1));
  const wire = Buffer.concat(messages.map(frame));
  for (let piece = 1; piece <= wire.length; piece++) {
    const reader = new MessageReader(1000);
    const found: Buffer[] = [];
    for (let at = 0; at < wire.length; at += piece)
      found.push(...reader.push(wire.subarray(at, at + piece)).map(({ bytes }) => bytes));
    t.notOk(reader.isAmidst);
    t.same(found, messages, `pieces of ${piece} bytes`);
  }
});

t.test('a message that announces too much is refused before it has come', async (t) => {
  const reader = new MessageReader(10);
  t.throws(() => reader.push(frame(Buffer.alloc(11)).subarray(0, 5)), { name: 'MessageTooLarge' });
  const half = new MessageReader(10);
  half.push(frame(Buffer.alloc(10)).subarray(0, 8));
  t.ok(half.isAmidst);
});

t.test('timeouts and texts of headers', async (t) => {
  t.equal(timeoutMs('20S'), 20_000);
  t.equal(timeoutMs('1500u'), 1.5);
  t.equal(timeoutMs('3H'), 10_800_000);
  t.equal(timeoutMs('soon'), null);
  t.equal(timeoutMs(undefined), null);
  t.equal(headerText('100 % – müde'), '100 %25 %E2%80%93 m%C3%BCde');
});

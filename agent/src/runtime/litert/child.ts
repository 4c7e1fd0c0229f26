/** Process with one .tflite model: what LiteRT breaks, it breaks alone. It ends with the thread that started it. */
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { CodedError } from '@espalier/proto';
import { compileModel } from './compiled-model.js';
import { libc } from './libc.js';
import { findLiteRt } from './library.js';
import { ANSWERS, DONE, FAILED, MEMORY, REQUESTS, type Ready } from './wire.js';

const [folder, file, threads, parent] = process.argv.slice(2) as [string, string, string, string];
const say = (ready: Ready): void => void writeSync(1, `${JSON.stringify(ready)}\n`);

/** Opens the model and both pipes, then answers runs until it is killed. */
function serve(): void {
  const runtime = findLiteRt();
  const system = libc(runtime.koffi);
  system.dieWithParent(Number(parent));
  const model = compileModel(runtime, file, Number(threads), (bytes) => {
    const fd = openSync(path.join(folder, MEMORY), 'wx+', 0o600);
    ftruncateSync(fd, Math.max(1, bytes));
    const address = system.share(fd, Math.max(1, bytes));
    closeSync(fd);
    return address;
  });
  const [requests, answers] = [REQUESTS, ANSWERS].map((name) => {
    const pipe = path.join(folder, name);
    system.makePipe(pipe);
    // For reading and writing, so that opening waits for nobody.
    return openSync(pipe, 'r+');
  }) as [number, number];
  say({ ok: true, inputs: model.inputs, outputs: model.outputs });
  const byte = Buffer.alloc(1);
  const done = Buffer.of(DONE);
  for (;;) {
    readSync(requests, byte);
    try {
      model.run();
      writeSync(answers, done);
    } catch (error) {
      const text = Buffer.from((error as Error).message).subarray(0, 255);
      writeSync(answers, Buffer.concat([Buffer.of(FAILED, text.length), text]));
    }
  }
}

try {
  serve();
} catch (error) {
  const { message, code, details } = error as CodedError;
  const lacks = code === 'ESP_RUNTIME_UNAVAILABLE' ? (details as { cause: string }).cause : undefined;
  say({ ok: false, message, ...(lacks ? { lacks } : {}) });
}
// Unloading the library would end the process with a fault.
process.exit(0);

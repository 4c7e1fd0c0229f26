/** A .tflite model run by LiteRT in a process of its own, behind the seam of session.ts. A crash in there ends that process alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SessionOptions } from '@espalier/proto';
import { RuntimeUnavailable } from '../../errors.js';
import type { Tensors } from '../protocol.js';
import { type Session, SessionLost } from '../session.js';
import { bytesOf, elementsOf, viewValues } from '../values.js';
import { ANSWERS, DONE, MEMORY, type Placed, REQUESTS, type Ready } from './wire.js';

const SHARED = '/dev/shm';
/** The process keeps no objects: its tensors lie outside of its heap. */
const FLAGS = ['--max-semi-space-size=1', '--no-warnings'];
const GO = Buffer.of(1);

/** @throws ESP_RUNTIME_UNAVAILABLE, and what LiteRT says of the file */
export async function openLiteRt(file: string, { intraOpNumThreads }: SessionOptions): Promise<Session> {
  const folder = mkdtempSync(path.join(existsSync(SHARED) ? SHARED : os.tmpdir(), 'espalier-litert-'));
  try {
    const script = fileURLToPath(new URL('./child.js', import.meta.url));
    const given = [folder, path.resolve(file), String(intraOpNumThreads), String(process.pid)];
    const child = spawn(process.execPath, [...FLAGS, script, ...given], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    const [said] = (await Promise.race([once(lines, 'line'), ended.then(() => [null])])) as [string | null];
    lines.close();
    child.stdout.destroy();
    if (said === null) throw new Error(`LiteRT's process ended with ${child.signalCode ?? child.exitCode}`);
    const ready = JSON.parse(said) as Ready;
    if (!ready.ok && ready.lacks) throw RuntimeUnavailable({ runtime: 'LiteRT', cause: ready.lacks });
    if (!ready.ok) throw new Error(ready.message);
    return new LiteRtSession(ready, folder, { pid: child.pid!, kill: () => child.kill('SIGKILL'), ended });
  } finally {
    // What is open stays; nothing is left behind by a process that is killed.
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Process {
  readonly pid: number;
  kill(): void;
  readonly ended: Promise<unknown>;
}

class LiteRtSession implements Session {
  readonly inputs;
  readonly outputs;
  readonly pid: number;
  readonly #memory: number;
  readonly #requests: number;
  readonly #answers: number;
  readonly #byte = Buffer.alloc(1);

  constructor(
    private readonly places: { readonly inputs: readonly Placed[]; readonly outputs: readonly Placed[] },
    folder: string,
    private readonly process: Process,
  ) {
    this.inputs = places.inputs.map(({ spec }) => spec);
    this.outputs = places.outputs.map(({ spec }) => spec);
    this.pid = process.pid;
    this.#memory = openSync(path.join(folder, MEMORY), 'r+');
    this.#requests = openSync(path.join(folder, REQUESTS), constants.O_WRONLY | constants.O_NONBLOCK);
    // A pipe is opened for reading at once while somebody may write; from then on its end is the end of the process.
    const writer = openSync(path.join(folder, ANSWERS), 'r+');
    this.#answers = openSync(path.join(folder, ANSWERS), 'r');
    closeSync(writer);
  }

  run(feeds: Tensors): Tensors {
    const rows = this.#rowsOf(feeds);
    const outputs = this.places.outputs.map(({ bytes }) => new Uint8Array(rows * bytes));
    this.#compute(feeds, rows, outputs);
    return Object.fromEntries(
      this.places.outputs.map(({ spec: { name, type, shape } }, at) => {
        const all = rows === 1 ? shape : [rows * shape[0]!, ...shape.slice(1)];
        const { buffer } = outputs[at]!;
        return [
          name,
          {
            type,
            shape: all,
            data: viewValues(type, buffer, 0, elementsOf(all)),
          },
        ];
      }),
    );
  }

  prepare(feeds: Tensors, into: Tensors) {
    const isBound = this.outputs.every(({ name }) => name in into);
    const rows = this.#rowsOf(feeds);
    const outputs = isBound ? this.outputs.map(({ name }) => bytesOf(into[name]!.data)) : [];
    return {
      run: () => {
        if (!isBound) return this.run(feeds);
        this.#compute(feeds, rows, outputs);
        return null;
      },
    };
  }

  endProfiling(): void {}

  close(): void {
    this.process.kill();
    for (const fd of [this.#memory, this.#requests, this.#answers]) closeSync(fd);
  }

  /** The file has one batch size; a request with several rows is as many runs. */
  #rowsOf(feeds: Tensors): number {
    const [first] = this.places.inputs;
    const rows = first ? bytesOf(feeds[first.spec.name]!.data).length / first.bytes : 1;
    for (const { spec, bytes } of this.places.inputs) {
      const found = bytesOf(feeds[spec.name]!.data).length;
      if (found !== rows * bytes || rows < 1 || !Number.isInteger(rows))
        throw new Error(`input ${spec.name} has ${found} bytes, which are no rows of ${bytes}`);
    }
    return rows;
  }

  #compute(feeds: Tensors, rows: number, outputs: readonly Uint8Array[]): void {
    for (let row = 0; row < rows; row++) {
      for (const { spec, offset, bytes } of this.places.inputs)
        writeSync(this.#memory, bytesOf(feeds[spec.name]!.data), row * bytes, bytes, offset);
      this.#go();
      for (const [at, { offset, bytes }] of this.places.outputs.entries())
        readSync(this.#memory, outputs[at]!, row * bytes, bytes, offset);
    }
  }

  /** One run. @throws SessionLost when the process is gone, and what LiteRT says */
  #go(): void {
    try {
      writeSync(this.#requests, GO);
    } catch {
      throw this.#lost();
    }
    if (this.#read(1)[0] === DONE) return;
    const text = this.#read(this.#read(1)[0]!);
    throw new Error(text.toString());
  }

  #read(bytes: number): Buffer {
    const into = bytes === 1 ? this.#byte : Buffer.alloc(bytes);
    if (readSync(this.#answers, into) < bytes) throw this.#lost();
    return into;
  }

  #lost(): SessionLost {
    return new SessionLost("LiteRT's process has ended", this.process.ended);
  }
}

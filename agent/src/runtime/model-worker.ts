/** The main thread's side of one worker thread: one session, one request after another. */
import { Worker } from 'node:worker_threads';
import type { CodedError, SessionOptions, TensorSpec } from '@espalier/proto';
import { InferenceFailed, ModelLoadFailed, RuntimeUnavailable, WorkerGone } from '../errors.js';
import { Doorbell, doorbellMemory } from './doorbell.js';
import type { BatchLayout } from './layout.js';
import { LookOut } from './look-out.js';
import { BATCH_DONE, type Numbered, type Reply, type Request, type Tensors } from './protocol.js';
import type { Slab } from './slabs.js';

// ONNX Runtime 1.29 and newer report model names, hashes and timings to their maker unless this is set when the library
// loads. It is set here because a worker's own `process.env` is a copy; child processes inherit it.
process.env.ORT_DISABLE_TELEMETRY = '1';

interface Waiting<R extends Reply | null = Reply> {
  resolve(reply: R): void;
  reject(error: Error): void;
}

/** @throws ESP_INFERENCE_FAILED when another answer came */
function expect<K extends Reply['kind']>(kind: K, reply: Reply): Extract<Reply, { kind: K }> {
  if (reply.kind === kind) return reply as Extract<Reply, { kind: K }>;
  throw InferenceFailed({ cause: reply.kind === 'failed' ? reply.message : reply.kind });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** A worker leaves next to no garbage: tensors lie outside of its heap. */
const YOUNG_MB = 2;

/** The program of a worker thread. */
export const WORKER_SCRIPT = new URL('./worker.js', import.meta.url);

export class ModelWorker {
  readonly inputs: TensorSpec[] = [];
  readonly outputs: TensorSpec[] = [];
  /** The process that computes, where it is one of its own. */
  pid: number | null = null;
  #waiting = new Map<number, Waiting>();
  /** Batches have no numbers: they are answered in the order they were given. */
  readonly #batches: Waiting<Reply | null>[] = [];
  #nextId = 1;
  #gone: CodedError | null = null;
  readonly #shared = new Set<number>();
  readonly #lookOut: LookOut;
  /** Called once, when the thread has ended or was given up. */
  onGone: (cause: CodedError) => void = () => undefined;

  private constructor(
    private readonly worker: Worker,
    private readonly bell: Doorbell,
  ) {
    this.#lookOut = new LookOut(bell, () => this.#settleQuiet());
    worker.on('message', (reply: Numbered<Reply> | typeof BATCH_DONE) => {
      if (reply === BATCH_DONE || reply.id === BATCH_DONE) this.#settleQuiet();
      if (reply === BATCH_DONE) return;
      if (reply.id === BATCH_DONE) {
        this.bell.takeTold();
        this.#batches.shift()?.resolve(reply);
      } else {
        this.#waiting.get(reply.id)?.resolve(reply);
        this.#waiting.delete(reply.id);
      }
    });
    worker.on('error', (error) => this.#end(WorkerGone({ cause: error.message }, { cause: error })));
    worker.on('exit', (code) => this.#end(WorkerGone({ cause: `exit code ${code}` })));
  }

  /**
   * Opens a model on a thread of its own.
   * @param saveTo where it is saved as it runs here
   * @throws ESP_MODEL_LOAD_FAILED
   */
  static async open(
    file: string,
    options: SessionOptions,
    { script = WORKER_SCRIPT, saveTo }: { readonly script?: URL | undefined; readonly saveTo?: string } = {},
  ): Promise<ModelWorker> {
    const memory = doorbellMemory();
    const model = new ModelWorker(
      new Worker(script, { workerData: memory, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } }),
      new Doorbell(memory),
    );
    const reply = await model.#ask({ kind: 'load', file, options, saveTo });
    if (reply.kind !== 'loaded') {
      void model.close();
      if (reply.kind === 'failed' && reply.lacks) throw RuntimeUnavailable(reply.lacks);
      throw ModelLoadFailed({ file, cause: reply.kind === 'failed' ? reply.message : reply.kind });
    }
    model.inputs.push(...reply.inputs);
    model.outputs.push(...reply.outputs);
    model.pid = reply.pid ?? null;
    return model;
  }

  get alive(): boolean {
    return this.#gone === null;
  }

  /** @throws ESP_INFERENCE_FAILED, ESP_WORKER_GONE */
  async run(feeds: Tensors): Promise<Tensors> {
    return (await this.#want('outputs', { kind: 'run', feeds })).outputs;
  }

  /**
   * Runs the first rows of a slab; null when the outputs lie in the slab.
   * @param lookMs for how long the answer is looked for in every turn of the event loop
   * @throws as {@link run}
   */
  async batch(slab: Slab, { inputs, outputs }: BatchLayout, rows: number, lookMs = 0): Promise<Tensors | null> {
    if (!this.#shared.has(slab.id)) {
      this.#shared.add(slab.id);
      const join = <Row>(list: readonly Row[], buffers: readonly SharedArrayBuffer[]) =>
        list.map((row, index) => ({ row, buffer: buffers[index]! }));
      const slots = { inputs: join(inputs, slab.inputs), outputs: join(outputs ?? [], slab.outputs) };
      this.#send({ kind: 'share', slab: { id: slab.id, ...slots }, id: 0 });
    }
    if (this.#gone) throw this.#gone;
    const reply = await new Promise<Reply | null>((resolve, reject) => {
      this.#batches.push({ resolve, reject });
      this.bell.batch(slab.id, rows);
      if (lookMs > 0) this.#lookOut.for(lookMs);
    });
    return reply && expect('outputs', reply).outputs;
  }

  /** Milliseconds of repeated runs: at least `runs`, until `forMs` are over. */
  async measure(feeds: Tensors, runs: number, forMs: number): Promise<readonly number[]> {
    return (await this.#want('measured', { kind: 'measure', feeds, runs, forMs })).timesMs;
  }

  /** Resolves when the thread answers: it is neither dead nor stuck. */
  async ping(): Promise<void> {
    await this.#ask({ kind: 'ping' });
  }

  /** Answers what waits, then ends the thread by itself: terminating it inside a run would abort the process. */
  async close(): Promise<void> {
    if (this.#gone) return;
    const ended = new Promise<void>((resolve) => this.worker.once('exit', () => resolve()));
    await this.#ask({ kind: 'close' }).catch(() => undefined);
    await ended;
  }

  /** Gives a stuck thread up: what waits for it is answered with the error, and it ends itself if it ever comes back. */
  abandon(error: CodedError): void {
    this.#send({ kind: 'close', id: 0 });
    this.worker.unref();
    // A thread that waits for another process comes back when that ends.
    if (this.pid !== null) kill(this.pid);
    this.#end(error);
  }

  async #want<K extends Reply['kind']>(kind: K, request: Request): Promise<Extract<Reply, { kind: K }>> {
    return expect(kind, await this.#ask(request));
  }

  #ask(request: Request): Promise<Reply> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ ...request, id });
    });
  }

  #send(request: Numbered<Request>): void {
    this.worker.postMessage(request);
    this.bell.message();
  }

  /** Says for how long the thread may stay awake between batches; with 0, the main thread looks for nothing either. */
  stay(ms: number): void {
    this.bell.stay(ms);
    if (ms === 0) this.#lookOut.stop();
  }

  /** Settles the batches whose outputs lie in their slabs. @returns whether any batch is still under way */
  #settleQuiet(): boolean {
    while (this.bell.takeQuiet()) this.#batches.shift()?.resolve(null);
    return this.#batches.length > 0;
  }

  #end(error: CodedError): void {
    if (this.#gone) return;
    this.#gone = error;
    for (const { reject } of [...this.#waiting.values(), ...this.#batches.splice(0)]) reject(error);
    this.#waiting.clear();
    this.onGone(error);
  }
}

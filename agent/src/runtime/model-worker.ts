/** The main thread's side of one worker thread: one session, one request after another. */
import { Worker } from 'node:worker_threads';
import type { CodedError, SessionOptions, TensorSpec } from '@espalier/proto';
import { InferenceFailed, ModelLoadFailed, WorkerGone } from '../errors.js';
import type { BatchLayout } from './layout.js';
import type { Numbered, Reply, Request, Tensors } from './protocol.js';
import type { Slab } from './slabs.js';

// ONNX Runtime 1.29 and newer report model names, hashes and timings to their maker unless this is set when the library
// loads. It is set here because a worker's own `process.env` is a copy; child processes inherit it.
process.env.ORT_DISABLE_TELEMETRY = '1';

type Waiting = { resolve(reply: Reply): void; reject(error: Error): void };

/** The program of a worker thread. */
export const WORKER_SCRIPT = new URL('./worker.js', import.meta.url);

export class ModelWorker {
  readonly inputs: TensorSpec[] = [];
  readonly outputs: TensorSpec[] = [];
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #gone: CodedError | null = null;
  readonly #shared = new Set<number>();
  /** Called once, when the thread has ended or was given up. */
  onGone: (cause: CodedError) => void = () => undefined;

  private constructor(private readonly worker: Worker) {
    worker.on('message', (reply: Numbered<Reply>) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      waiting?.resolve(reply);
    });
    worker.on('error', (error) => this.#end(WorkerGone({ cause: error.message }, { cause: error })));
    worker.on('exit', (code) => this.#end(WorkerGone({ cause: `exit code ${code}` })));
  }

  /** Opens a model on a thread of its own. @throws ESP_MODEL_LOAD_FAILED */
  static async open(file: string, options: SessionOptions, script = WORKER_SCRIPT): Promise<ModelWorker> {
    const model = new ModelWorker(new Worker(script));
    const reply = await model.#ask({ kind: 'load', file, options });
    if (reply.kind !== 'loaded') {
      void model.close();
      throw ModelLoadFailed({ file, cause: reply.kind === 'failed' ? reply.message : reply.kind });
    }
    model.inputs.push(...reply.inputs);
    model.outputs.push(...reply.outputs);
    return model;
  }

  get alive(): boolean {
    return this.#gone === null;
  }

  /** @throws ESP_INFERENCE_FAILED, ESP_WORKER_GONE */
  async run(feeds: Tensors): Promise<Tensors> {
    return (await this.#want('outputs', { kind: 'run', feeds })).outputs;
  }

  /** Runs the first rows of a slab; null when the outputs lie in the slab. @throws as {@link run} */
  async batch(slab: Slab, { inputs, outputs }: BatchLayout, rows: number): Promise<Tensors | null> {
    if (!this.#shared.has(slab.id)) {
      this.#shared.add(slab.id);
      const join = <Row>(list: readonly Row[], buffers: readonly SharedArrayBuffer[]) =>
        list.map((row, index) => ({ row, buffer: buffers[index]! }));
      const slots = { inputs: join(inputs, slab.inputs), outputs: join(outputs ?? [], slab.outputs) };
      this.worker.postMessage({ kind: 'share', slab: { id: slab.id, ...slots } } satisfies Request);
    }
    return (await this.#want('batched', { kind: 'batch', slab: slab.id, rows })).outputs;
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
    this.worker.postMessage({ kind: 'close', id: 0 });
    this.worker.unref();
    this.#end(error);
  }

  async #want<K extends Reply['kind']>(kind: K, request: Request): Promise<Extract<Reply, { kind: K }>> {
    const reply = await this.#ask(request);
    if (reply.kind === kind) return reply as Extract<Reply, { kind: K }>;
    throw InferenceFailed({ cause: reply.kind === 'failed' ? reply.message : reply.kind });
  }

  #ask(request: Request): Promise<Reply> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...request, id });
    });
  }

  #end(error: CodedError): void {
    if (this.#gone) return;
    this.#gone = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.onGone(error);
  }
}

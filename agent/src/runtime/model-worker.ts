/** The main thread's side of a worker: one loaded model, first in first out, with a bound on what waits. */
import { Worker } from 'node:worker_threads';
import type { CodedError, SessionOptions, TensorSpec } from '@espalier/proto';
import { InferenceFailed, ModelLoadFailed, QueueFull, WorkerGone } from '../errors.js';
import type { BenchmarkPlan, BenchmarkResult, Numbered, Reply, Request, Tensors } from './protocol.js';

// ONNX Runtime 1.29 and newer report model names, hashes and timings to their maker unless this is set when the library
// loads. It is set here because a worker's own `process.env` is a copy; child processes inherit it.
process.env.ORT_DISABLE_TELEMETRY = '1';

type Waiting = { resolve(reply: Reply): void; reject(error: Error): void };

export class ModelWorker {
  readonly inputs: TensorSpec[] = [];
  readonly outputs: TensorSpec[] = [];
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #gone: CodedError | null = null;
  /** Called once, when the thread has ended. */
  onGone: (cause: CodedError) => void = () => undefined;

  private constructor(
    private readonly worker: Worker,
    private readonly queueLimit: number,
  ) {
    worker.on('message', (reply: Numbered<Reply>) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      waiting?.resolve(reply);
    });
    worker.on('error', (error) => this.#end(WorkerGone({ cause: error.message }, { cause: error })));
    worker.on('exit', (code) => this.#end(WorkerGone({ cause: `exit code ${code}` })));
  }

  /** Opens a model on a thread of its own. @throws ESP_MODEL_LOAD_FAILED */
  static async open(file: string, options: SessionOptions, queueLimit: number): Promise<ModelWorker> {
    const model = new ModelWorker(new Worker(new URL('./worker.js', import.meta.url)), queueLimit);
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

  get queued(): number {
    return this.#waiting.size;
  }

  /** @throws ESP_QUEUE_FULL, ESP_INFERENCE_FAILED, ESP_WORKER_GONE */
  async run(feeds: Tensors): Promise<Tensors> {
    if (this.#waiting.size >= this.queueLimit) throw QueueFull({ limit: this.queueLimit });
    const reply = await this.#ask({ kind: 'run', feeds });
    if (reply.kind === 'outputs') return reply.outputs;
    throw InferenceFailed({ cause: reply.kind === 'failed' ? reply.message : reply.kind });
  }

  async benchmark(plan: BenchmarkPlan): Promise<BenchmarkResult> {
    const reply = await this.#ask({ kind: 'benchmark', plan });
    if (reply.kind === 'benchmarked') return reply.result;
    throw InferenceFailed({ cause: reply.kind === 'failed' ? reply.message : reply.kind });
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

import './no-telemetry.js';
import { SessionOptions, type TensorSpec } from '@espalier/proto';
import * as ort from 'onnxruntime-node';
import { RuntimeRefused } from '../errors.js';
import { collectYoung } from './collect.js';

export type Feeds = Readonly<Record<string, ort.Tensor>>;

/** One tensor out of a run: float32 data, whatever the model's type, and its shape. */
export interface Output {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export const runtimeVersion = (): string =>
  (ort as unknown as { env: { versions: { node?: string } } }).env.versions.node ?? 'unknown';

/** Nested objects from dotted keys: onnxruntime-node joins them again with dots. */
function nest(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const parts = key.split('.');
    const last = parts.pop()!;
    let at = root;
    for (const part of parts) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[last] = value;
  }
  return root;
}

/** ONNX Runtime's own options for our session options. Warnings of the runtime are silenced: they go to stdout. */
export function nativeOptions(options: SessionOptions): ort.InferenceSession.SessionOptions {
  const { graphOptimizationLevel, extra, ...rest } = options;
  return { ...rest, graphOptimizationLevel: graphOptimizationLevel as 'all', extra: nest(extra), logSeverityLevel: 3 };
}

export const defaultOptions: SessionOptions = SessionOptions.parse({});

/** Our description of one input or output; a dimension that may vary has a name. */
function specOf(meta: ort.InferenceSession.ValueMetadata): TensorSpec {
  if (!meta.isTensor) return { name: meta.name, type: 'other', shape: [] };
  const shape = meta.shape.map((dim, at) => (typeof dim === 'number' && dim >= 0 ? dim : String(dim) || `dim_${at}`));
  return { name: meta.name, type: meta.type, shape };
}

/** Files that a session writes: the graph as the runtime optimized it, and the times of its operators. */
export interface SessionFiles {
  readonly optimizedModelFilePath?: string;
  readonly profileFilePrefix?: string;
}

/** Bytes of inputs after which the tensors of past runs are collected. */
const FED_BYTES_MAX = 4_000_000;

/** A model loaded into ONNX Runtime. `run` blocks the calling thread; dispose it when done. */
export class Session {
  private fedBytes = 0;

  private constructor(
    private readonly native: ort.InferenceSession,
    readonly name: string,
  ) {}

  /** @throws ESP_RUNTIME_REFUSED with the runtime's own words. */
  static async open(
    model: Uint8Array | string,
    name: string,
    options: SessionOptions = defaultOptions,
    more: SessionFiles = {},
  ): Promise<Session> {
    try {
      const profiling = more.profileFilePrefix ? { enableProfiling: true } : {};
      const native = { ...nativeOptions(options), ...more, ...profiling };
      const source =
        typeof model === 'string'
          ? ort.InferenceSession.create(model, native)
          : ort.InferenceSession.create(model, native);
      return new Session(await source, name);
    } catch (error) {
      throw RuntimeRefused({ model: name, why: (error as Error).message }, { cause: error });
    }
  }

  get inputs(): TensorSpec[] {
    return this.native.inputMetadata.map(specOf);
  }
  get outputs(): TensorSpec[] {
    return this.native.outputMetadata.map(specOf);
  }

  /** @param into tensors that the outputs are written into */
  async run(feeds: Feeds, into?: Record<string, ort.Tensor>): Promise<Record<string, ort.Tensor>> {
    try {
      return await (into ? this.native.run(feeds, into) : this.native.run(feeds));
    } catch (error) {
      throw RuntimeRefused({ model: this.name, why: (error as Error).message }, { cause: error });
    }
  }

  /** A run after which the tensors of the one before are gone, if nobody holds them: many take as much memory as one. */
  async runAlone(feeds: Feeds): Promise<Record<string, ort.Tensor>> {
    collectYoung();
    return this.run(feeds);
  }

  /** All outputs as float32, by name. */
  async floats(feeds: Feeds): Promise<Record<string, Output>> {
    const found: Record<string, Output> = {};
    this.fedBytes += Object.values(feeds).reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0);
    if (this.fedBytes > FED_BYTES_MAX) {
      this.fedBytes = 0;
      collectYoung();
    }
    for (const [name, tensor] of Object.entries(await this.run(feeds))) {
      const data = tensor.data as ArrayLike<number | bigint>;
      found[name] = {
        dims: tensor.dims,
        data: data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>, Number),
      };
    }
    return found;
  }

  /** Writes the file of a session that was opened with a `profileFilePrefix`. */
  endProfiling(): void {
    this.native.endProfiling();
  }

  dispose(): Promise<void> {
    return this.native.release();
  }
}

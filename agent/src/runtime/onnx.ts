/** The one seam to ONNX Runtime: open a session, run it. Synchronous under the hood, so never on the main thread. */
import type { SessionOptions, TensorSpec } from '@espalier/proto';
import ort from 'onnxruntime-node';
import type { TensorData, Tensors } from './protocol.js';

export interface Session {
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  run(feeds: Tensors): Promise<Tensors>;
  /** Binds tensors to run again and again; outputs with memory of their own are written there. */
  prepare(feeds: Tensors, into: Tensors): Prepared;
  close(): Promise<void>;
}

export interface Prepared {
  /** Runs on what the bound memory holds now. Gives the outputs, or null when all of them went into bound memory. */
  run(): Promise<Tensors | null>;
}

const toOrt = (tensors: Tensors): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { type, shape, data }]) => [
      name,
      new ort.Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );

const fromOrt = (results: ort.InferenceSession.ReturnType): Tensors =>
  Object.fromEntries(
    Object.entries(results).map(([name, value]) => [
      name,
      { type: value.type, shape: value.dims, data: value.data as TensorData },
    ]),
  );

const toSpec = (meta: ort.InferenceSession.ValueMetadata): TensorSpec =>
  meta.isTensor
    ? { name: meta.name, type: meta.type, shape: meta.shape.map((dim) => dim) }
    : { name: meta.name, type: 'unknown', shape: [] };

export async function openSession(file: string, options: SessionOptions): Promise<Session> {
  const session = await ort.InferenceSession.create(file, {
    graphOptimizationLevel:
      options.graphOptimizationLevel as ort.InferenceSession.SessionOptions['graphOptimizationLevel'] & string,
    intraOpNumThreads: options.intraOpNumThreads,
    interOpNumThreads: options.interOpNumThreads,
    executionMode: options.executionMode,
    enableMemPattern: options.enableMemPattern,
    enableCpuMemArena: options.enableCpuMemArena,
    logSeverityLevel: 3,
    extra: nested(options.extra),
  });
  return {
    inputs: session.inputMetadata.map(toSpec),
    outputs: session.outputMetadata.map(toSpec),
    run: async (feeds) => fromOrt(await session.run(toOrt(feeds))),
    prepare(feeds, into) {
      const inputs = toOrt(feeds);
      const fetches = toOrt(into);
      const isBound = session.outputNames.every((name) => name in fetches);
      return {
        run: async () => {
          if (!isBound) return fromOrt(await session.run(inputs));
          await session.run(inputs, fetches);
          return null;
        },
      };
    },
    close: () => session.release(),
  };
}

/** "session.intra_op.allow_spinning": "0" as the nested object that the binding turns back into dotted keys. */
function nested(flat: Readonly<Record<string, string>>): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(flat)) {
    const parts = key.split('.');
    let at = tree;
    for (const part of parts.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[parts.at(-1)!] = value;
  }
  return tree;
}

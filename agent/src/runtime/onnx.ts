/**
 * ONNX Runtime behind the seam of session.ts: open a session, run it. Synchronous, so never on the main thread.
 *
 * The binding is called without the wrapper around it, which defers every run to the next turn of the event loop: that costs
 * 30 us a run, and a worker that stands still between runs has no turns. The package's version is pinned for this.
 */
import path from 'node:path';
import type { SessionOptions, TensorSpec } from '@espalier/proto';
import ort from 'onnxruntime-node';
import { type Binding, binding, initOrt } from 'onnxruntime-node/dist/binding.js';
import type { TensorData, Tensors } from './protocol.js';
import type { Session, SessionFiles } from './session.js';

const toOrt = (tensors: Tensors): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { type, shape, data }]) => [
      name,
      new ort.Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );

const fromOrt = (results: Readonly<Record<string, ort.OnnxValue>>): Tensors =>
  Object.fromEntries(
    Object.entries(results).map(([name, value]) => [
      name,
      { type: value.type, shape: value.dims, data: value.data as TensorData },
    ]),
  );

/** Element types by their number [ONNX, TensorProto.DataType]. */
const TYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 8: 'string', 9: 'bool' },
  ...{ 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64', 21: 'uint4', 22: 'int4' },
};

/** An axis without a size goes by its name, which may be empty. */
const toSpec = ({ name, isTensor, type, shape, symbolicDimensions }: Binding.ValueMetadata): TensorSpec =>
  isTensor
    ? {
        name,
        type: TYPES[type] ?? 'unknown',
        shape: shape.map((dim, axis) => (dim < 0 ? (symbolicDimensions[axis] ?? '') : dim)),
      }
    : { name, type: 'unknown', shape: [] };

/** Name of a model that was saved after optimization; nothing is left to optimize. */
export const PREPARED = 'prepared.onnx';
const WEIGHTS = `${PREPARED}.weights`;
/** Smaller tensors stay in the graph. */
const LARGE_BYTES = '1024';

const saving = (file: string) => ({
  optimizedModelFilePath: file,
  extra: {
    'session.optimized_model_external_initializers_file_name': WEIGHTS,
    'session.optimized_model_external_initializers_min_size_in_bytes': LARGE_BYTES,
    'session.save_external_prepacked_constant_initializers': '1',
  },
});

/** @throws what the runtime says of the file */
export function openSession(
  file: string,
  options: SessionOptions,
  { saveTo, profilePrefix }: SessionFiles = {},
): Session {
  const { extra = {}, ...paths } = saveTo ? saving(saveTo) : {};
  const level = path.basename(file) === PREPARED ? 'disabled' : options.graphOptimizationLevel;
  initOrt();
  const session = new binding.InferenceSession();
  session.loadModel(file, {
    ...paths,
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    graphOptimizationLevel: level as ort.InferenceSession.SessionOptions['graphOptimizationLevel'] & string,
    intraOpNumThreads: options.intraOpNumThreads,
    interOpNumThreads: options.interOpNumThreads,
    executionMode: options.executionMode,
    enableMemPattern: options.enableMemPattern,
    enableCpuMemArena: options.enableCpuMemArena,
    logSeverityLevel: 3,
    extra: nested({ ...options.extra, ...extra }),
  });
  const inputs = session.inputMetadata.map(toSpec);
  const outputs = session.outputMetadata.map(toSpec);
  const wanted = Object.fromEntries(outputs.map(({ name }) => [name, null]));
  return {
    inputs,
    outputs,
    run: (feeds) => fromOrt(session.run(toOrt(feeds), wanted, {})),
    prepare(feeds, into) {
      const bound = toOrt(feeds);
      const fetches = { ...wanted, ...toOrt(into) };
      const isBound = outputs.every(({ name }) => name in into);
      return {
        run: () => {
          const results = session.run(bound, fetches, {});
          return isBound ? null : fromOrt(results);
        },
      };
    },
    endProfiling: () => session.endProfiling(),
    close: () => session.dispose(),
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

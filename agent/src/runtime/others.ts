/** Runtimes beside ONNX Runtime: those of this device, and the files of a network for them. */
import type { Facts, TensorSpec } from '@espalier/proto';
import { liteRtVersion } from './litert/library.js';
import { onnxRuntimeVersion } from './version.js';

export const ONNX_RUNTIME = 'onnxruntime';
export const LITERT = 'litert';

/** The same network in a file for another runtime, which this device has. */
export interface OtherRuntime {
  readonly adapter: string;
  readonly version: string;
  readonly file: string;
  /** What the network takes and gives with ONNX Runtime, whose batch may vary; requests are checked against that. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** A runtime by name and version, as reports, metrics and statistics name it. */
export interface RuntimeName {
  readonly adapter: string;
  readonly version: string;
}

/** Version of a runtime on this device; null for one that it lacks. */
export const versionHere = (adapter: string): string | null => {
  if (adapter === ONNX_RUNTIME) return onnxRuntimeVersion();
  return adapter === LITERT ? liteRtVersion() : null;
};

const PROVIDERS: Readonly<Record<string, string[]>> = { [ONNX_RUNTIME]: ['cpu'], [LITERT]: ['xnnpack'] };

/** What the facts say of runtimes. */
export const runtimesHere = (): Facts['runtimes'] =>
  Object.entries(PROVIDERS).flatMap(([adapter, providers]) => {
    const version = versionHere(adapter);
    return version === null ? [] : [{ adapter, version, providers }];
  });

/** What opens a file: LiteRT its own, ONNX Runtime every other. */
export const runtimeOf = (file: string): RuntimeName => {
  const adapter = file.endsWith('.tflite') ? LITERT : ONNX_RUNTIME;
  return { adapter, version: versionHere(adapter) ?? 'unknown' };
};

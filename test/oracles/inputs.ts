/** Samples of the data pack as the judges read them: real inputs, so that what a compiler's build predicts can be held against ours. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { openDataset } from '@espalier/compression/data/dataset';
import { batches } from '@espalier/compression/data/feeds';
import { readModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { numbersOf } from '@espalier/compression/onnx/tensor';
import type { Preprocess, TensorSpec } from '@espalier/proto';

/** An array in numpy's format, version 1, row by row.   [numpy.lib.format] */
export function npyOf(type: '<f4' | '|i1' | '|u1', shape: readonly number[], data: Uint8Array): Buffer {
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  // Magic, version and length take 10 bytes; the data starts at a multiple of 64.
  const padded = `${text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11)}\n`;
  const head = Buffer.from('\x93NUMPY\x01\x00..', 'latin1');
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, 'latin1'), data]);
}

/** [C, H, W] to [H, W, C]; other ranks stay. */
function channelsLast(values: Float32Array, dims: readonly number[]): Float32Array {
  if (dims.length !== 3) return values;
  const [channels, height, width] = dims as [number, number, number];
  const area = height * width;
  return Float32Array.from(values, (_, at) => values[(at % channels) * area + Math.floor(at / channels)]!);
}

/** Scale and zero point of a quantized graph's input. */
function inputQuantizer(graph: Graph): { scale: number; zero: number } {
  const quantize = graph.consumers(graph.inputs[0]!.name).find(({ opType }) => opType === 'QuantizeLinear');
  const [scale, zero] = [1, 2].map((at) => quantize && graph.constantOf(quantize, at));
  if (!quantize || !scale) throw new Error('the input of the build is not quantized');
  return { scale: numbersOf(scale)[0]!, zero: zero ? numbersOf(zero)[0]! : 0 };
}

interface Samples {
  readonly spec: string;
  readonly preprocess: Preprocess | null;
  readonly inputs: readonly TensorSpec[];
  readonly count: number;
}

/**
 * Writes the first samples into `folder` as inputs-float.npy, [N, C, H, W], and inputs-int8.npy, [N, H, W, C], in the
 * scale of the build's input.
 */
export async function writeInputs(folder: string, { spec, preprocess, inputs, count }: Samples): Promise<void> {
  const { scale, zero } = inputQuantizer(await readModel(path.join(folder, 'model.onnx')));
  const [floats, integers]: [Float32Array[], Int8Array[]] = [[], []];
  let dims: readonly number[] = [];
  const feeding = { inputs, preprocess, batchSize: 1, limit: count, seed: 1 };
  for await (const { feeds } of batches(await openDataset(spec), feeding)) {
    const tensor = feeds[inputs[0]!.name]!;
    const values = tensor.data as Float32Array;
    dims = tensor.dims.slice(1);
    floats.push(values);
    const whole = (value: number): number => Math.max(-128, Math.min(127, Math.round(value / scale) + zero));
    integers.push(Int8Array.from(channelsLast(values, dims), whole));
  }
  const joined = (list: readonly (Float32Array | Int8Array)[]): Buffer =>
    Buffer.concat(list.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)));
  const last = dims.length === 3 ? [dims[1]!, dims[2]!, dims[0]!] : dims;
  writeFileSync(path.join(folder, 'inputs-float.npy'), npyOf('<f4', [floats.length, ...dims], joined(floats)));
  writeFileSync(path.join(folder, 'inputs-int8.npy'), npyOf('|i1', [integers.length, ...last], joined(integers)));
}

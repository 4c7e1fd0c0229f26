/** A .tflite model run by LiteRT on the CPU, behind the seam of session.ts. Batch and shapes are those of the file. */
import type { SessionOptions, TensorSpec } from '@espalier/proto';
import type { TensorData, Tensors } from '../protocol.js';
import type { Session } from '../session.js';
import { elementBytes, elementsOf, viewValues } from '../values.js';
import { type Bindings, bind } from './bindings.js';
import { findLiteRt } from './library.js';

/** Element types by their number [TensorFlow Lite, TfLiteType]. */
const TYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'float32', 2: 'int32', 3: 'uint8', 4: 'int64', 6: 'bool', 7: 'int16', 9: 'int8', 10: 'float16' },
  ...{ 11: 'float64', 13: 'uint64', 16: 'uint32', 17: 'uint16' },
};
/** LiteRtRankedTensorType: type, rank in the low seven bits, then the dimensions. */
const TYPE_BYTES = 72;
const RANK_AT = 4;
const DIMS_AT = 8;
const ALIGNMENT = 64n;
const CPU = 1;

interface Bound {
  readonly spec: TensorSpec;
  readonly buffer: unknown;
  readonly view: Uint8Array;
}

let loaded: { readonly lite: Bindings; readonly environment: unknown } | null = null;

/** The library and its environment; one of each for a thread. @throws ESP_RUNTIME_UNAVAILABLE */
function load(): NonNullable<typeof loaded> {
  if (loaded) return loaded;
  const lite = bind(findLiteRt());
  loaded = { lite, environment: lite.get('CreateEnvironment', 0, null) };
  return loaded;
}

/** A tensor with memory of ours, aligned as LiteRT wants it. */
function bindTensor(lite: Bindings, signature: unknown, side: 'Input' | 'Output', at: number): Bound {
  const type = Buffer.alloc(TYPE_BYTES);
  lite.call('GetRankedTensorType', lite.get(`GetSignature${side}TensorByIndex`, signature, at), type);
  const shape = Array.from({ length: type[RANK_AT]! & 127 }, (_, axis) => type.readInt32LE(DIMS_AT + 4 * axis));
  const name = lite.get<string>(`GetSignature${side}Name`, signature, at);
  const code = type.readInt32LE(0);
  const element = TYPES[code];
  if (!element) throw new Error(`tensor ${name} has elements of type ${code}, which are not supported`);
  const bytes = elementsOf(shape) * elementBytes(element)!;
  const memory = new ArrayBuffer(bytes + 2 * Number(ALIGNMENT));
  const past = lite.address(memory) % ALIGNMENT;
  const view = new Uint8Array(memory, Number((ALIGNMENT - past) % ALIGNMENT), bytes);
  const buffer = lite.get('CreateTensorBufferFromHostMemory', type, view, bytes, null);
  return { spec: { name, type: element, shape }, buffer, view };
}

const pointers = (lite: Bindings, tensors: readonly Bound[]): Buffer => {
  const list = Buffer.alloc(8 * tensors.length);
  for (const [at, { buffer }] of tensors.entries()) list.writeBigUInt64LE(lite.address(buffer), 8 * at);
  return list;
};

const bytesIn = ({ buffer, byteOffset, byteLength }: TensorData): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** @throws ESP_RUNTIME_UNAVAILABLE, and what LiteRT says of the file */
export function openLiteRt(file: string, { intraOpNumThreads }: SessionOptions): Session {
  const { lite, environment } = load();
  const model = lite.get('CreateModelFromFile', environment, file);
  const options = lite.get('CreateOptions');
  lite.call('SetOptionsHardwareAccelerators', options, CPU);
  const threads = lite.ownedText(`num_threads = ${intraOpNumThreads}\n`);
  lite.call('AddOpaqueOptions', options, lite.get('CreateOpaqueOptions', 'xnnpack', ...threads));
  const compiled = lite.get('CreateCompiledModel', environment, model, options);
  const signature = lite.get('GetModelSignature', model, 0);
  const count = (side: 'Inputs' | 'Outputs'): number => Number(lite.get(`GetNumSignature${side}`, signature));
  const inputs = Array.from({ length: count('Inputs') }, (_, at) => bindTensor(lite, signature, 'Input', at));
  const outputs = Array.from({ length: count('Outputs') }, (_, at) => bindTensor(lite, signature, 'Output', at));
  const [given, made] = [pointers(lite, inputs), pointers(lite, outputs)];
  const compute = (feeds: Tensors): void => {
    for (const { spec, view } of inputs) {
      const bytes = bytesIn(feeds[spec.name]!.data);
      if (bytes.length !== view.length)
        throw new Error(`input ${spec.name} has ${bytes.length} bytes, not ${view.length}`);
      view.set(bytes);
    }
    lite.call('RunCompiledModel', compiled, 0, inputs.length, given, outputs.length, made);
  };
  const run = (feeds: Tensors): Tensors => {
    compute(feeds);
    return Object.fromEntries(
      outputs.map(({ spec: { name, type, shape }, view }) => [
        name,
        {
          type,
          shape: shape as number[],
          data: viewValues(type, view.slice().buffer, 0, elementsOf(shape as number[])),
        },
      ]),
    );
  };
  return {
    inputs: inputs.map(({ spec }) => spec),
    outputs: outputs.map(({ spec }) => spec),
    run,
    prepare: (feeds, into) => ({
      run: () => {
        if (!outputs.every(({ spec }) => spec.name in into)) return run(feeds);
        compute(feeds);
        for (const { spec, view } of outputs) bytesIn(into[spec.name]!.data).set(view);
        return null;
      },
    }),
    endProfiling: () => undefined,
    close() {
      for (const { buffer } of [...inputs, ...outputs]) lite.destroy('TensorBuffer', buffer);
      lite.destroy('CompiledModel', compiled);
      lite.destroy('Options', options);
      lite.destroy('Model', model);
    },
  };
}

/** A .tflite model compiled by LiteRT for the CPU, on memory that another process reads and writes. Batch and shapes are the file's. */
import { elementBytes, elementsOf } from '../values.js';
import { type Bindings, bind } from './bindings.js';
import type { LiteRt } from './library.js';
import { type Placed, place } from './wire.js';

/** Element types by their number [TensorFlow Lite, TfLiteType]. */
const TYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'float32', 2: 'int32', 3: 'uint8', 4: 'int64', 6: 'bool', 7: 'int16', 9: 'int8', 10: 'float16' },
  ...{ 11: 'float64', 13: 'uint64', 16: 'uint32', 17: 'uint16' },
};
/** LiteRtRankedTensorType: type, rank in the low seven bits, then the dimensions. */
const TYPE_BYTES = 72;
const RANK_AT = 4;
const DIMS_AT = 8;
const CPU = 1;

interface Described {
  readonly spec: Placed['spec'];
  readonly type: Buffer;
  readonly bytes: number;
}

export interface CompiledModel {
  readonly inputs: Placed[];
  readonly outputs: Placed[];
  run(): void;
}

function describe(lite: Bindings, signature: unknown, side: 'Input' | 'Output', at: number): Described {
  const type = Buffer.alloc(TYPE_BYTES);
  lite.call('GetRankedTensorType', lite.get(`GetSignature${side}TensorByIndex`, signature, at), type);
  const shape = Array.from({ length: type[RANK_AT]! & 127 }, (_, axis) => type.readInt32LE(DIMS_AT + 4 * axis));
  const name = lite.get<string>(`GetSignature${side}Name`, signature, at);
  const code = type.readInt32LE(0);
  const element = TYPES[code];
  if (!element) throw new Error(`tensor ${name} has elements of type ${code}, which are not supported`);
  return { spec: { name, type: element, shape }, type, bytes: elementsOf(shape) * elementBytes(element)! };
}

function compile(lite: Bindings, environment: unknown, model: unknown, threads: number): unknown {
  const options = lite.get('CreateOptions');
  lite.call('SetOptionsHardwareAccelerators', options, CPU);
  const text = lite.ownedText(`num_threads = ${threads}\n`);
  lite.call('AddOpaqueOptions', options, lite.get('CreateOpaqueOptions', 'xnnpack', ...text));
  const compiled = lite.get('CreateCompiledModel', environment, model, options);
  // What XNNPACK leaves to the reference kernels takes many times as long, and rounds differently.
  if (!lite.get<boolean>('CompiledModelIsFullyAccelerated', compiled))
    throw new Error('XNNPACK does not run all of its operators');
  return compiled;
}

/**
 * Compiles a file; the process has one model and ends with it, so nothing is ever destroyed.
 * @param memory gives an address at which so many bytes are shared
 * @throws what LiteRT says of the file
 */
export function compileModel(
  runtime: LiteRt,
  file: string,
  threads: number,
  memory: (bytes: number) => bigint,
): CompiledModel {
  const lite = bind(runtime);
  const environment = lite.get('CreateEnvironment', 0, null);
  const model = lite.get('CreateModelFromFile', environment, file);
  const compiled = compile(lite, environment, model, threads);
  const signature = lite.get('GetModelSignature', model, 0);
  const all = (side: 'Input' | 'Output'): Described[] =>
    Array.from({ length: Number(lite.get(`GetNumSignature${side}s`, signature)) }, (_, at) =>
      describe(lite, signature, side, at),
    );
  const [given, made] = [all('Input'), all('Output')];
  const inputs = place(given, 0);
  const outputs = place(made, inputs.end);
  const base = memory(outputs.end);
  const pointers = (described: readonly Described[], placed: readonly Placed[]): Buffer => {
    const list = Buffer.alloc(8 * placed.length);
    for (const [at, { offset, bytes }] of placed.entries()) {
      const address = base + BigInt(offset);
      const buffer = lite.get('CreateTensorBufferFromHostMemory', described[at]!.type, address, bytes, null);
      list.writeBigUInt64LE(lite.address(buffer), 8 * at);
    }
    return list;
  };
  const [from, into] = [pointers(given, inputs.placed), pointers(made, outputs.placed)];
  return {
    inputs: inputs.placed,
    outputs: outputs.placed,
    run: () => lite.call('RunCompiledModel', compiled, 0, given.length, from, made.length, into),
  };
}

/** Tensors of the Open Inference Protocol as typed arrays; the array's class says the datatype. */

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** A tensor with its values in row-major order. */
export interface Tensor<D extends TensorData = TensorData> {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: D;
  /** Only where the array does not say it: BOOL in a Uint8Array, FP16 as bits in a Uint16Array. */
  readonly datatype?: string;
}
export type FloatTensor = Tensor<Float32Array>;

type TensorArray = new (buffer: ArrayBuffer) => TensorData;

const ARRAYS: Readonly<Record<string, TensorArray>> = {
  ...{ FP32: Float32Array, FP64: Float64Array, INT8: Int8Array, INT16: Int16Array, INT32: Int32Array },
  ...{ INT64: BigInt64Array, UINT8: Uint8Array, UINT16: Uint16Array, UINT32: Uint32Array, UINT64: BigUint64Array },
  ...{ BOOL: Uint8Array, FP16: Uint16Array },
};

export function datatypeOf({ data, datatype }: Tensor): string {
  if (datatype) return datatype;
  const found = Object.entries(ARRAYS).find(([, array]) => data instanceof array);
  if (!found) throw new TypeError(`${data.constructor.name} holds no tensor of the protocol`);
  return found[0];
}

/** Bytes as the values of a datatype; copied, so that alignment does not matter. */
export function decode(datatype: string, bytes: Uint8Array): TensorData {
  const array = ARRAYS[datatype];
  if (!array) throw new TypeError(`outputs of type ${datatype} are not supported`);
  return new array(new Uint8Array(bytes).buffer);
}

export const bytesOf = ({ buffer, byteOffset, byteLength }: TensorData): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/** What may be said of one inference. */
export interface InferOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds in which the answer is wanted; a request that cannot make it is refused, unrun. */
  readonly timeoutMs?: number;
  /** 1 is the highest. */
  readonly priority?: number;
}

export const parametersOf = ({ timeoutMs, priority }: InferOptions): Record<string, number> => ({
  ...(timeoutMs === undefined ? {} : { timeout: Math.round(timeoutMs * 1000) }),
  ...(priority === undefined ? {} : { priority }),
});

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** -1 for what may vary. */
  readonly shape: number[];
}

/** What a model takes and gives. */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: string[];
  readonly platform: string;
  readonly inputs: TensorMetadata[];
  readonly outputs: TensorMetadata[];
}

/** A request that the agent refused or could not answer. `code` is one of docs/errors.md. */
export class InferenceError extends Error {
  override readonly name = 'InferenceError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Milliseconds after which another try may succeed; null when the agent does not say. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

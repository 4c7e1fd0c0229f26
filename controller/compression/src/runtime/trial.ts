import { Tensor } from 'onnxruntime-node';
import type { Ports, RanShapes } from './probe-protocol.js';
import type { Session } from './session.js';

type Elements = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Int8Array;
const ZEROS: Readonly<Record<string, new (length: number) => Elements>> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};
/** True when more than the first axis, the batch, may vary. */
const hasFreeAxis = (shape: readonly (number | string)[]): boolean =>
  shape.slice(1).some((dim) => typeof dim !== 'number');

/**
 * Runs a model once on zeros, with 1 for every dimension that may vary. Where more than the
 * batch may vary, or an input is no float, that is a guess, and a refusal says nothing: then the result is null.
 * Otherwise it is ESP_RUNTIME_REFUSED. Returns the sizes of the outputs.
 */
export async function tryOnce(session: Session): Promise<RanShapes | null> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, shape } of session.inputs) {
    const dims = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
    const size = dims.reduce((product, dim) => product * dim, 1);
    const Zeros = ZEROS[type];
    if (!Zeros) return null;
    feeds[name] = new Tensor(type as 'float32', new Zeros(size) as Float32Array, dims);
  }
  const isGuess = session.inputs.some(({ type, shape }) => type !== 'float32' || hasFreeAxis(shape));
  const outputs = await session.run(feeds).catch((error: unknown) => {
    if (isGuess) return null;
    throw error;
  });
  return outputs && Object.fromEntries(Object.entries(outputs).map(([name, { dims }]) => [name, dims]));
}

/**
 * An output that ran with other sizes than it declares, in words; null without. Only the first axis, the batch, may vary
 * in the inputs: where more may, exporters write down the sizes of one example.
 */
export function contradiction({ inputs, outputs }: Ports, ran: RanShapes): string | null {
  if (inputs.some(({ shape }) => hasFreeAxis(shape))) return null;
  for (const { name, shape } of outputs) {
    const dims = ran[name];
    const isTensor = dims !== undefined && shape.length > 0;
    const differs =
      isTensor && (dims.length !== shape.length || dims.some((dim, at) => at > 0 && conflict(dim, shape[at])));
    if (differs) return `its output ${name} is declared [${shape.join()}] and is [${dims.join()}]`;
  }
  return null;
}

const conflict = (dim: number, declared: number | string | undefined): boolean =>
  typeof declared === 'number' && declared !== dim;

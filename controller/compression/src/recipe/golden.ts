import type { GoldenFile, Report, TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { batches } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import { floatsOf } from '../onnx/tensor.js';
import type { Session } from '../runtime/session.js';

const CASES = 3;
/** A device may round the last bit of one step differently, and adds its floats in another order. */
const ROUNDING = 1.01;
const FLOAT_SHARE = 1e-4;
const STEPS = 255;

type Tensors = GoldenFile['cases'][number]['inputs'];

const base64 = (data: ArrayBufferView): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');

/** Inputs of the first samples with what the session computes for them; little-endian, in the tensors' own types. */
export async function makeGolden(session: Session, data: Dataset, feeding: BatchOptions): Promise<GoldenFile> {
  const cases: GoldenFile['cases'] = [];
  for await (const { feeds } of batches(data, { ...feeding, batchSize: 1, limit: CASES })) {
    const encode = (tensors: Readonly<Record<string, { dims: readonly number[]; data: unknown }>>): Tensors =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, tensor]) => [
          name,
          { shape: [...tensor.dims], base64: base64(tensor.data as ArrayBufferView) },
        ]),
      );
    cases.push({ inputs: encode(feeds), outputs: encode(await session.run(feeds)) });
  }
  return { cases };
}

/**
 * How far a device may be from the golden outputs, absolute, by output: one quantization step for int8; where int8
 * gives float directly, one step of the range the output took. For float a ten-thousandth of the range.
 */
export function goldenTolerance(
  graph: Graph,
  outputs: readonly TensorSpec[],
  ranges: Readonly<Record<string, number>>,
  method: Report['method'],
): Record<string, number> {
  const tolerance = (name: string): number => {
    const range = ranges[name] || 1;
    if (method === 'float') return range * FLOAT_SHARE;
    const maker = graph.producer(name);
    const scale = maker?.opType === 'DequantizeLinear' ? graph.constantOf(maker, 1) : undefined;
    return ((scale && floatsOf(scale)?.[0]) ?? range / STEPS) * ROUNDING;
  };
  return Object.fromEntries(outputs.map(({ name }) => [name, tolerance(name)]));
}

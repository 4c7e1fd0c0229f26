import type { TensorSpec } from '@espalier/proto';
import { DataUnfit } from '../errors.js';
import type { Content, Dataset } from './content.js';

/** Ready arrays for the inputs of these names; a single array goes to a single input. Throws ESP_DATA_UNFIT. */
export function matchNames(
  data: Dataset,
  { inputs: given, shapes }: Extract<Content, { kind: 'inputs' }>,
  inputs: readonly TensorSpec[],
): Record<string, Float32Array> {
  const found: Record<string, Float32Array> = {};
  const only = Object.keys(given).length === 1 && inputs.length === 1 ? Object.values(given)[0] : undefined;
  for (const { name, shape } of inputs) {
    const values = given[name] ?? only;
    if (!values) throw DataUnfit({ spec: data.spec, input: name, why: `there is no ${name}.npy` });
    const stored = shapes?.[name] ?? (only && shapes && Object.values(shapes)[0]);
    if (stored && isTurned(stored, shape.slice(1))) {
      const why = `[${stored}] a sample given, [${shape.slice(1)}] wanted: the axes are in another order`;
      throw DataUnfit({ spec: data.spec, input: name, why });
    }
    found[name] = values;
  }
  return found;
}

/** The same axes in another order, those of length 1 aside: as many values, and none in its place. */
function isTurned(stored: readonly number[], wanted: readonly (number | string)[]): boolean {
  const [a, b] = [stored, wanted].map((dims) => dims.filter((dim) => dim !== 1));
  const sorted = (dims: readonly (number | string)[]): string => [...dims].sort().join();
  return a!.join() !== b!.join() && sorted(a!) === sorted(b!);
}

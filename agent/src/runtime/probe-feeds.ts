/** Made-up inputs, to try out and to warm up what has served nothing yet. Pure. */
import type { BatchLayout } from './layout.js';
import type { Tensors, TensorValue } from './protocol.js';
import { decodeValues, elementBytes, elementsOf } from './values.js';

/** No row is like its neighbour, neither in values nor in size. */
const ROW_SCALES = [1, 0.1, 3, 0.5];

function fill(data: TensorValue['data'], from: number, count: number, row: number): void {
  const isFloat = data instanceof Float32Array || data instanceof Float64Array || !('BYTES_PER_ELEMENT' in data);
  const scale = ROW_SCALES[row % ROW_SCALES.length]!;
  for (let at = 0; at < count; at++) {
    const share = (((at + 1) * (7919 + 13 * row)) % 1000) / 1000;
    const value = isFloat ? share * scale : Number(share > 0.5);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[from + at] = BigInt(value);
    else data[from + at] = value;
  }
}

/** Made-up rows that fit a layout, rows `first` to `first + rows` of an endless list. */
export function probeFeeds({ inputs }: BatchLayout, first: number, rows: number): Tensors {
  return Object.fromEntries(
    inputs.map(({ name, type, shape }) => {
      const count = elementsOf(shape);
      const data = decodeValues(type, new Uint8Array(rows * count * (elementBytes(type) ?? 0)));
      for (let row = 0; row < rows; row++) fill(data, row * count, count, first + row);
      return [name, { type, shape: [rows, ...shape], data }];
    }),
  );
}

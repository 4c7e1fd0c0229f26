import { dequantizeInto, normalizeInto, type Preprocess } from '@espalier/proto';
import t from 'tap';

const record: Preprocess = {
  version: 1,
  input: 'x',
  layout: 'NCHW',
  color: 'RGB',
  resize: null,
  scale: 1,
  mean: [1, 2, 3],
  std: [1, 2, 1],
};
const pixels = { data: Uint8Array.of(10, 20, 30, 11, 21, 31), width: 2, height: 1, channels: 3 };
const normalized = (part: Partial<Preprocess>): number[] => {
  const out = new Float32Array(6);
  normalizeInto(pixels, { ...record, ...part }, out);
  return [...out];
};

t.test('pixels are scaled, shifted and laid out as the record says', async (t) => {
  t.strictSame(normalized({}), [9, 10, 9, 9.5, 27, 28], 'NCHW, RGB: a plane a channel');
  t.strictSame(normalized({ layout: 'NHWC' }), [9, 9, 27, 10, 9.5, 28], 'NHWC: interleaved');
  t.strictSame(normalized({ color: 'BGR' }), [29, 30, 9, 9.5, 7, 8], 'BGR: the first plane is blue');
});

t.test('stored integers are dequantized with the affine part', async (t) => {
  const out = new Float32Array(3);
  dequantizeInto(Int8Array.of(83, 85, -1), { ...record, affine: { zero: 83, scale: 0.5 } }, out);
  t.strictSame([...out], [0, 1, -42]);
});

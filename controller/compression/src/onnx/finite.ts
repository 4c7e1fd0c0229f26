import { type Tensor, Type } from './tensor.js';

/** Where the exponent of a type lies: an element is NaN or infinite when all its bits are set [IEEE 754, 3.4]. */
interface Layout {
  readonly bytes: number;
  /** Masks of the top byte and of the one below it. */
  readonly exponent: readonly [top: number, below: number];
}
const LAYOUTS: Partial<Record<Type, Layout>> = {
  [Type.FLOAT]: { bytes: 4, exponent: [0x7f, 0x80] },
  [Type.BFLOAT16]: { bytes: 2, exponent: [0x7f, 0x80] },
  [Type.FLOAT16]: { bytes: 2, exponent: [0x7c, 0x00] },
  [Type.DOUBLE]: { bytes: 8, exponent: [0x7f, 0xf0] },
};

export interface NotFinite {
  /** First NaN, and first infinite element; -1 without. */
  readonly nanAt: number;
  readonly infiniteAt: number;
}

/** Exponent of 2^64 in float32: products of such weights with activations soon leave the range of the type. */
const HUGE_EXPONENT = 127 + 64;

const firstHuge = new WeakMap<Tensor, number>();

/** The first element of a FLOAT tensor of 2^64 and more; -1 without, and for other types. */
export function findHuge(tensor: Tensor): number {
  if (tensor.type !== Type.FLOAT) return -1;
  const before = firstHuge.get(tensor);
  if (before !== undefined) return before;
  const { bytes } = tensor;
  let end = 3;
  while (end < bytes.length && (((bytes[end]! & 0x7f) << 1) | (bytes[end - 1]! >> 7)) < HUGE_EXPONENT) end += 4;
  const found = end < bytes.length ? (end - 3) / 4 : -1;
  firstHuge.set(tensor, found);
  return found;
}

const FINITE: NotFinite = { nanAt: -1, infiniteAt: -1 };
/** A tensor's bytes are never written again, so it is looked through once. */
const known = new WeakMap<Tensor, NotFinite>();

/** The elements of a float tensor that are no finite numbers; types without an IEEE layout count as finite. */
export function findNotFinite(tensor: Tensor): NotFinite {
  const layout = LAYOUTS[tensor.type];
  if (!layout) return FINITE;
  const before = known.get(tensor);
  if (before) return before;
  const found = scan(tensor.bytes, layout);
  known.set(tensor, found);
  return found;
}

function scan(bytes: Uint8Array, { bytes: size, exponent: [top, below] }: Layout): NotFinite {
  let [nanAt, infiniteAt] = [-1, -1];
  for (let end = size - 1; end < bytes.length; end += size) {
    if ((bytes[end]! & top) !== top || (bytes[end - 1]! & below) !== below) continue;
    let mantissa = (bytes[end]! & ~top & 0x7f) | (bytes[end - 1]! & ~below & 0xff);
    for (let at = end - size + 1; at < end - 1; at++) mantissa |= bytes[at]!;
    const element = (end + 1) / size - 1;
    if (mantissa === 0) infiniteAt = infiniteAt < 0 ? element : infiniteAt;
    else nanAt = nanAt < 0 ? element : nanAt;
    if (nanAt >= 0 && infiniteAt >= 0) break;
  }
  return nanAt < 0 && infiniteAt < 0 ? FINITE : { nanAt, infiniteAt };
}

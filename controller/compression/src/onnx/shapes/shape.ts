import type { TensorShapeProto_Dimension, ValueInfoProto } from '../gen/onnx_pb.js';

/** A dimension, null where it is not known or may vary. */
export type Dim = number | null;
/** Sizes in the order of the axes; null where not even their number is known. */
export type Shape = readonly Dim[] | null;

/** A fixed size, or null: ONNX Runtime takes a negative one as free, and so do we. */
const dimOf = ({ value }: TensorShapeProto_Dimension): Dim =>
  value.case === 'dimValue' && value.value >= 0n ? Number(value.value) : null;

/** The shape a graph's author wrote down for a value [ONNX IR, "Static tensor shapes"]. */
export function declaredShape(info: ValueInfoProto): Shape {
  const type = info.type?.value;
  return type?.case === 'tensorType' && type.value.shape ? type.value.shape.dim.map(dimOf) : null;
}

export const shapeText = (shape: Shape): string => `[${(shape ?? ['?']).map((dim) => dim ?? '?').join()}]`;

/** True when one tensor can have both shapes. */
export const agree = (a: Shape, b: Shape): boolean =>
  !a || !b || (a.length === b.length && a.every((dim, at) => dim === null || b[at] === null || dim === b[at]));

/** What two sources together know of a shape; the first wins where they disagree. */
export const merge = (a: Shape, b: Shape): Shape =>
  a && b && a.length === b.length ? a.map((dim, at) => dim ?? b[at]!) : (a ?? b);

/** Two shapes broadcast to one, or `undefined` when they cannot be [ONNX, "Broadcasting": multidirectional]. */
export function broadcast(a: Shape, b: Shape): Shape | undefined {
  if (!a || !b) return null;
  const rank = Math.max(a.length, b.length);
  const padded = (shape: readonly Dim[]): Dim[] => [...new Array<Dim>(rank - shape.length).fill(1), ...shape];
  const [left, right] = [padded(a), padded(b)];
  const joined: Dim[] = [];
  for (const [at, dim] of left.entries()) {
    const other = right[at]!;
    if (dim !== null && other !== null && dim !== other && dim !== 1 && other !== 1) return undefined;
    joined.push(dim === 1 ? other : other === 1 ? dim : (dim ?? other));
  }
  return joined;
}

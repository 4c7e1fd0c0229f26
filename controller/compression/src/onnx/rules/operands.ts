import { intOf, intsOf, type Node } from '../node.js';
import { broadcast, type Dim, type Shape, shapeText } from '../shapes/shape.js';

/** Why a node cannot take inputs of these shapes, or null. What is not known is not judged. */
type Check = (node: Node, inputs: readonly Shape[]) => string | null;

const differ = (a: Dim | undefined, b: Dim | undefined): boolean =>
  a !== undefined && b !== undefined && a !== null && b !== null && a !== b;
const times = (a: Dim | undefined, b: number): Dim => (typeof a === 'number' ? a * b : null);

/** X [N, C, ...], W [M, C/group, kernel...] or, transposed, [C, M/group, kernel...], B [M]. */
const convolution =
  (transposed: boolean): Check =>
  (node, [x, w, b]) => {
    const group = intOf(node, 'group', 1);
    if (group < 1) return `its group is ${group}`;
    if (!w) return null;
    if (w.length < 3) return `its weights ${shapeText(w)} have no spatial axis`;
    if (x && x.length !== w.length) return `its input ${shapeText(x)} and weights ${shapeText(w)} differ in rank`;
    const [first, second] = [w[0]!, w[1]!];
    const [read, made] = transposed ? [first, times(second, group)] : [times(second, group), first];
    if (x && differ(x[1], read)) return `its input ${shapeText(x)} has not the ${read} channels its weights read`;
    if (first !== null && first % group !== 0) return `${first} channels are no multiple of group ${group}`;
    if (b && (b.length !== 1 || differ(b[0], made))) return `its bias is ${shapeText(b)} for ${made} channels`;
    return windows(node, w.slice(2));
  };

function windows(node: Node, kernel: readonly Dim[]): string | null {
  const said = intsOf(node, 'kernel_shape');
  if (said && (said.length !== kernel.length || said.some((size, at) => differ(size, kernel[at])))) {
    return `its kernel_shape [${said.join()}] is not that of its weights ${shapeText(kernel)}`;
  }
  for (const name of ['strides', 'dilations']) {
    const steps = intsOf(node, name);
    if (steps && steps.length > 0 && (steps.length !== kernel.length || steps.some((step) => step < 1))) {
      return `its ${name} are [${steps.join()}] for ${kernel.length} axes`;
    }
  }
  return null;
}

/** X [N, C, ...], the four statistics [C]. */
const batchNormalization: Check = (node, [x, ...statistics]) => {
  // Before version 9 there could be a statistic for each element instead of each channel.
  if (intOf(node, 'spatial', 1) === 0) return null;
  const channels = x ? (x.length > 1 ? x[1] : undefined) : statistics.find((shape) => shape)?.[0];
  const bad = statistics.slice(0, 4).find((shape) => shape && (shape.length !== 1 || differ(shape[0], channels)));
  return bad ? `a statistic is ${shapeText(bad)} for ${channels ?? '?'} channels` : null;
};

const gemm: Check = (node, [a, b, c]) => {
  const odd = [a, b].find((shape) => shape && shape.length !== 2);
  if (odd) return `a matrix is ${shapeText(odd)}`;
  const inner = a?.[intOf(node, 'transA', 0) ? 0 : 1];
  const rows = b?.[intOf(node, 'transB', 0) ? 1 : 0];
  if (differ(inner, rows)) return `it multiplies ${inner} columns with ${rows} rows`;
  const columns = b?.[intOf(node, 'transB', 0) ? 0 : 1];
  const last = c?.at(-1);
  return last !== 1 && differ(last, columns) ? `its C is ${shapeText(c!)} for ${columns} columns` : null;
};

const matMul: Check = (_, [a, b]) => {
  if (!a || !b || a.length === 0 || b.length === 0) return null;
  const rows = b.length === 1 ? b[0] : b.at(-2);
  return differ(a.at(-1), rows) ? `it multiplies ${shapeText(a)} with ${shapeText(b)}` : null;
};

const broadcasting: Check = (_, [a, b]) =>
  a && b && broadcast(a, b) === undefined ? `${shapeText(a)} and ${shapeText(b)} do not broadcast` : null;

const CHECKS: Readonly<Record<string, Check>> = {
  Conv: convolution(false),
  ConvTranspose: convolution(true),
  BatchNormalization: batchNormalization,
  Gemm: gemm,
  MatMul: matMul,
  Add: broadcasting,
  Sub: broadcasting,
  Mul: broadcasting,
  Div: broadcasting,
};

export const misfitOf: Check = (node, inputs) => CHECKS[node.opType]?.(node, inputs) ?? null;

/** What passes that recognize an operator written out in smaller ones have in common. */
import type { Graph } from '../onnx/graph.js';
import type { Node, NodeDraft } from '../onnx/node.js';
import { elementCount, numbersOf } from '../onnx/tensor.js';

/** Constants of a formula are rounded by exporters, to half precision at worst. */
const CLOSE = 1e-3;
export const isClose = (found: number | null | undefined, wanted: number): boolean =>
  found != null && Math.abs(found - wanted) <= CLOSE * Math.abs(wanted);

/** The number that a value is, when it is a constant of one element. */
export function scalarOf(graph: Graph, value: string | undefined): number | null {
  const tensor = value ? graph.constants.get(value) : undefined;
  return tensor && elementCount(tensor.dims) === 1 ? (numbersOf(tensor)[0] ?? null) : null;
}

/** The node that makes a value, when it is this operator. */
export function madeBy(graph: Graph, value: string | undefined, opType: string): Node | null {
  const node = value ? graph.producer(value) : undefined;
  return node?.domain === '' && node.opType === opType ? node : null;
}

/** The other operand of a commutative node, beside a constant near `number`. */
export function besideScalar(graph: Graph, node: Node | null, number: number): string | null {
  if (!node) return null;
  const [a, b] = node.inputs;
  if (isClose(scalarOf(graph, b), number)) return a ?? null;
  return isClose(scalarOf(graph, a), number) ? (b ?? null) : null;
}

/** A value as a number times another: what remains when constant factors are taken off. */
export interface Scaled {
  readonly value: string;
  readonly factor: number;
  /** The nodes that multiply. */
  readonly inner: readonly Node[];
}

/** All ways to see a value as a number times another: itself, then with one Mul or Div by a constant after the other off. */
export function scalings(graph: Graph, value: string): Scaled[] {
  const found: Scaled[] = [{ value, factor: 1, inner: [] }];
  for (;;) {
    const { value: last, factor, inner } = found.at(-1)!;
    const node = madeBy(graph, last, 'Mul') ?? madeBy(graph, last, 'Div');
    if (!node) return found;
    const [a, b] = node.inputs as [string, string];
    const [left, right] = [scalarOf(graph, a), scalarOf(graph, b)];
    if (right !== null && right !== 0) {
      found.push({
        value: a,
        factor: node.opType === 'Mul' ? factor * right : factor / right,
        inner: [...inner, node],
      });
    } else if (left !== null && node.opType === 'Mul') {
      found.push({ value: b, factor: factor * left, inner: [...inner, node] });
    } else return found;
  }
}

/** A function of x, a number times it, and the nodes that compute it. */
export interface Gate {
  readonly x: string;
  readonly factor: number;
  readonly inner: readonly Node[];
}

/** A product of x and a function of x: x, the number in front, and all nodes but the last. */
export function gatedProduct(
  graph: Graph,
  last: Node,
  gateOf: (graph: Graph, value: string) => Gate | null,
): Gate | null {
  for (const outer of scalings(graph, last.outputs[0]!)) {
    const product = madeBy(graph, outer.value, 'Mul');
    if (!product) continue;
    const [a, b] = product.inputs as [string, string];
    for (const [plain, gated] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const gate of scalings(graph, gated).map((scaled) => ({ scaled, found: gateOf(graph, scaled.value) }))) {
        const { scaled, found } = gate;
        const x = found && scalings(graph, plain).find(({ value }) => value === found.x);
        if (!x) continue;
        const inner = [...outer.inner, product, ...scaled.inner, ...found.inner, ...x.inner];
        const factor = outer.factor * scaled.factor * found.factor * x.factor;
        return { x: found.x, factor, inner: [...new Set(inner)].filter((node) => node !== last) };
      }
    }
  }
  return null;
}

/** Whether nobody outside reads what the inner nodes make: then they may go. */
export function isClosed(graph: Graph, inner: readonly Node[], last: Node): boolean {
  const own = new Set([...inner, last]);
  return inner.every(({ outputs }) =>
    outputs.every(
      (value) =>
        !graph.isOutput(value) && !graph.isCaptured(value) && graph.consumers(value).every((node) => own.has(node)),
    ),
  );
}

/** Puts one node in the place of a pattern. */
export function replacePattern(
  graph: Graph,
  inner: readonly Node[],
  last: Node,
  draft: Omit<NodeDraft, 'outputs'>,
): void {
  graph.add({ name: `${last.name}/${draft.opType}`, ...draft, outputs: last.outputs }, last);
  graph.remove(last);
  // Readers before makers.
  for (const node of graph.nodes.filter((one) => inner.includes(one)).reverse()) graph.remove(node);
}

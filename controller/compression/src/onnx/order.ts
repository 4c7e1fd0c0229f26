import { capturedValues, type Node } from './node.js';

interface Frame {
  readonly node: Node;
  readonly reads: readonly string[];
  at: number;
}

/**
 * The nodes in topological order: each after those it reads from, otherwise as they stood. Depth first without
 * recursion, so that a chain of 50,000 nodes fits. Where there is a cycle, its last edge is passed over.
 */
export function sortNodes(nodes: readonly Node[], producer: (value: string) => Node | undefined): Node[] {
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack: Frame[] = [];
  const enter = (node: Node): void => {
    seen.add(node);
    stack.push({ node, reads: [...node.inputs, ...capturedValues(node)], at: 0 });
  };
  for (const root of nodes) {
    if (seen.has(root)) continue;
    enter(root);
    for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
      const value = frame.reads[frame.at++];
      if (value === undefined) {
        order.push(frame.node);
        stack.pop();
        continue;
      }
      const before = producer(value);
      if (before && !seen.has(before)) enter(before);
    }
  }
  return order;
}

/** The nodes of one cycle in the direction of the data, or null when there is none. */
export function findCycle(nodes: readonly Node[], producer: (value: string) => Node | undefined): Node[] | null {
  // Most graphs are in order already, and need no sorting to show it.
  const edge = backEdge(nodes, producer) && backEdge(sortNodes(nodes, producer), producer);
  if (!edge) return null;
  return pathBetween(edge.maker, edge.node, (node) => makersOf(node, producer)).reverse();
}

const makersOf = (node: Node, producer: (value: string) => Node | undefined): Node[] =>
  [...node.inputs, ...capturedValues(node)].flatMap((value) => producer(value) ?? []);

/** A node that stands no later than one it reads from, and that one; null when the nodes are in order. */
function backEdge(
  nodes: readonly Node[],
  producer: (value: string) => Node | undefined,
): { node: Node; maker: Node } | null {
  const passed = new Set<Node>();
  for (const node of nodes) {
    const maker = makersOf(node, producer).find((one) => !passed.has(one));
    if (maker) return { node, maker };
    passed.add(node);
  }
  return null;
}

/** A way from one node back over the makers of its inputs to another. */
function pathBetween(from: Node, to: Node, makersOf: (node: Node) => Node[]): Node[] {
  const cameFrom = new Map<Node, Node | null>([[from, null]]);
  const queue = [from];
  for (let at = 0; at < queue.length && !cameFrom.has(to); at++) {
    for (const maker of makersOf(queue[at]!)) {
      if (cameFrom.has(maker)) continue;
      cameFrom.set(maker, queue[at]!);
      queue.push(maker);
    }
  }
  const path: Node[] = [];
  for (let node: Node | null = to; node; node = cameFrom.get(node) ?? null) path.push(node);
  return path.reverse();
}

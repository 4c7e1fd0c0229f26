/** Where a network can be cut in two: values that everything behind them is computed from. Pure. */
import type { Graph } from '../onnx/graph.js';
import { macsOf, totalMacs } from '../prune/macs.js';
import { ancestorsOf } from '../train/walk.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** A feature map [N, C, H, W] through which all that is computed so far reaches the rest of the network. */
export interface CutPoint {
  readonly value: string;
  /** Multiply-accumulates of one sample up to it. */
  readonly macs: number;
}

/** True when the nodes of `before` hand on nothing but `value`, and the model's inputs are read by them alone. */
function isOnlyWay(graph: Graph, value: string, before: ReadonlySet<unknown>): boolean {
  const crosses = (name: string): boolean => graph.consumers(name).some((node) => !before.has(node));
  const given = graph.inputs.map(({ name }) => name);
  const made = graph.nodes.flatMap((node) => (before.has(node) ? node.outputs.filter(Boolean) : []));
  if (given.some(crosses)) return false;
  return made.every((name) => name === value || !(crosses(name) || graph.isOutput(name) || graph.isCaptured(name)));
}

/** All feature maps at which a network can be cut, in its order; what an activation gives stands for what it takes. */
export function findCuts(graph: Graph, shapes: Shapes): CutPoint[] {
  const found = new Map<number, CutPoint>();
  for (const node of graph.nodes) {
    const [value] = node.outputs;
    if (node.outputs.length !== 1 || !value || shapes.get(value)?.length !== 4 || graph.isOutput(value)) continue;
    const before = ancestorsOf(graph, [value]);
    if (!isOnlyWay(graph, value, before)) continue;
    const macs = [...before].reduce((sum, one) => sum + macsOf(graph, one, shapes), 0);
    if (macs > 0) found.set(macs, { value, macs });
  }
  return [...found.values()];
}

/** The cuts nearest to equal shares of the multiply-accumulates: for two exits, a third and two thirds. */
export function chooseCuts(graph: Graph, shapes: Shapes, exits: number): CutPoint[] {
  const total = totalMacs(graph, shapes);
  const cuts = findCuts(graph, shapes).filter(({ macs }) => macs < total);
  const chosen = Array.from({ length: exits }, (_, at) => {
    const wanted = ((at + 1) * total) / (exits + 1);
    return cuts.reduce<CutPoint | null>(
      (best, cut) => (best && Math.abs(best.macs - wanted) <= Math.abs(cut.macs - wanted) ? best : cut),
      null,
    );
  });
  return [...new Set(chosen)].filter((cut) => cut !== null);
}

/** Reads the space of a network off its groups, its blocks and its windows. */
import type { LatencyTable } from '@espalier/proto';
import { workOf } from '../latency/work.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import type { Group } from '../prune/groups.js';
import type { Prunable } from '../prune/prunable.js';
import { candidateWidths } from '../prune/widths.js';
import { type Block, findBlocks, windowOf } from './blocks.js';
import type { Gene, NodeCost, Space } from './space.js';

export interface FoundSpace {
  readonly space: Space;
  /** By the id of their gene. */
  readonly blocks: ReadonlyMap<string, Block>;
}

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** The groups whose widths an operator's work goes with: what it makes and what it reads, or what it passes on. */
function groupsOf(graph: Graph, node: Node, groups: readonly Group[]): Group[] {
  const own = groups.filter(({ producers, consumers }) => producers.includes(node) || consumers.includes(node));
  if (own.length > 0) return own;
  // Whoever passes channels on has those of the operator that made them.
  for (let maker = graph.producer(node.inputs[0]!); maker; maker = graph.producer(maker.inputs[0]!)) {
    const made = groups.filter(({ producers }) => producers.includes(maker!));
    if (made.length > 0) return made;
    if (WEIGHTED.has(maker.opType) && !isCarrier(graph, maker)) return [];
  }
  return [];
}

const isCarrier = (graph: Graph, node: Node): boolean =>
  node.opType === 'Conv' && graph.constantOf(node, 1)?.dims[1] === 1;

/**
 * The fixed parts, scaled down where all operators together would take longer than the whole network did: a profiler adds
 * its own time to every operator, and a block that is left out must not be credited with it.
 */
export function withinWhole(nodes: readonly NodeCost[], wholeUs: number): NodeCost[] {
  const sum = (of: (node: NodeCost) => number): number => nodes.reduce((total, node) => total + of(node), 0);
  const left = Math.max(0, wholeUs - sum(({ movingUs }) => movingUs));
  const factor = Math.min(
    1,
    left /
      Math.max(
        1e-9,
        sum(({ fixedUs }) => fixedUs),
      ),
  );
  return nodes.map((node) => ({ ...node, fixedUs: factor * node.fixedUs }));
}

/** @param table of this network, whose rows say what an operator costs */
export function findSpace(subject: Prunable, table: LatencyTable): FoundSpace {
  const { graph, shapes, groups, steps } = subject;
  const blocks = new Map(findBlocks(graph, shapes).map((block) => [block.sum, block]));
  const windows = graph.nodes.flatMap((node) => {
    const size = windowOf(graph, node);
    return size === null ? [] : [{ id: node.name, kind: 'kernel' as const, values: [size - 2, size] }];
  });
  const genes: Gene[] = [
    ...groups.map(({ id, channels }) => ({
      ...{ id, kind: 'width' as const, values: candidateWidths(channels.length, steps.get(id)!) },
    })),
    ...[...blocks.keys()].map((id) => ({ id, kind: 'depth' as const, values: [0, 1] })),
    ...windows,
  ];
  const numberOf = (kind: Gene['kind'], id: string): number =>
    genes.findIndex((gene) => gene.kind === kind && gene.id === id);
  const rows = new Map(table.rows.map((row) => [row.node, row]));
  const nodes = graph.nodes.flatMap((node): NodeCost[] => {
    const row = rows.get(node.name);
    if (!row) return [];
    const kernel = numberOf('kernel', node.name);
    return [
      {
        ...{
          node: node.name,
          movingUs: row.usPerWork * workOf(graph, node, shapes),
          fixedUs: Math.max(0, row.fixedUs),
        },
        widths: groupsOf(graph, node, groups).map(({ id }) => numberOf('width', id)),
        kernel: kernel < 0 ? null : kernel,
        blocks: [...blocks.values()].flatMap(({ sum, nodes: own }) =>
          own.has(node.name) ? [numberOf('depth', sum)] : [],
        ),
      },
    ];
  });
  return { space: { genes, nodes: withinWhole(nodes, table.anchorUs), wholeUs: table.anchorUs }, blocks };
}

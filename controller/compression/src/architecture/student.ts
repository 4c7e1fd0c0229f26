/** The network that a genome describes: cut from the parent's weights, then refitted to what the parent computes. */
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { cutTo } from '../prune/fit.js';
import type { Prunable } from '../prune/prunable.js';
import { keptChannels } from '../prune/prune.js';
import { refit } from '../prune/refit.js';
import { shrinkWindow, skipBlock } from './blocks.js';
import type { FoundSpace } from './find-space.js';
import type { Gene, Genome } from './space.js';

/** Weighted operators that make or read a value, through what only passes on or adds. */
function nearby(graph: Graph, value: string): Node[] {
  return graph.consumers(value).flatMap((node): Node[] => {
    if (graph.constantOf(node, 1)) return [node];
    const makers = node.inputs.flatMap((input) => graph.producer(input) ?? []);
    return node.opType === 'Add'
      ? makers.filter((maker) => graph.constantOf(maker, 1))
      : nearby(graph, node.outputs[0]!);
  });
}

export interface StudentData {
  /** Unlabelled samples to refit on. */
  readonly data: Dataset;
  readonly feeding: BatchOptions;
}

export async function buildStudent(
  subject: Prunable,
  { space, blocks }: FoundSpace,
  genome: Genome,
  { data, feeding }: StudentData,
): Promise<Graph> {
  const chosen = (kind: Gene['kind']): (Gene & { value: number })[] =>
    space.genes.flatMap((gene, at) => (gene.kind === kind ? [{ ...gene, value: gene.values[genome[at]!]! }] : []));
  const cut = await cutTo(subject, new Map(chosen('width').map(({ id, value }) => [id, value])));
  const { graph } = cut;
  const names = new Set(cut.changed.flatMap(({ consumers }) => consumers.map(({ name }) => name)));
  for (const { id, value, values } of chosen('kernel')) {
    if (value === values.at(-1)) continue;
    shrinkWindow(graph, graph.nodes.find(({ name }) => name === id)!);
    names.add(id);
  }
  const skipped = chosen('depth').flatMap(({ id, value }) => (value === 0 ? [blocks.get(id)!] : []));
  for (const block of skipped) skipBlock(graph, block);
  for (const { skip } of skipped) for (const { name } of nearby(graph, skip)) names.add(name);
  await refit(graph, subject.graph, names, { data, feeding, kept: keptChannels(subject.trace, cut.removed) });
  return graph;
}

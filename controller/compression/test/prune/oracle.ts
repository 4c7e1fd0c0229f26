/**
 * The dead-channel oracle: half of every hidden width is made dead (nobody reads it, nothing makes it), at scattered
 * places; pruning half by norm must then find exactly those and leave the outputs as they were.
 */
import { openDataset } from '@espalier/compression/data/dataset';
import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { elementCount, floatsOf, floatTensor } from '@espalier/compression/onnx/tensor';
import { silenceChannels } from '@espalier/compression/prune/cut';
import { traceGroups } from '@espalier/compression/prune/prunable';
import { prune } from '@espalier/compression/prune/prune';
import { type Trace, traceChannels } from '@espalier/compression/prune/trace';
import { relativeDifference } from '@espalier/compression/recipe/prepare';
import { noise, run, tinyGraph } from '../support/tiny.ts';
import { clipBounds, type PruneNet } from './nets.ts';

const alignment = { inputChannels: 1, outputChannels: 1, depthwiseChannels: 1 };

/** Makes nothing of the removed channels: zero rows where they are produced, in weights and bias. */
function starveChannels(graph: Graph, trace: Trace, removed: ReadonlySet<number>): void {
  for (const { node, input, axis, labels } of trace.slices) {
    if (!['Conv', 'ConvTranspose', 'Gemm', 'MatMul'].includes(node.opType)) continue;
    const tensor = graph.constantOf(node, input)!;
    const values = floatsOf(tensor)!;
    const block = elementCount(tensor.dims.slice(axis + 1));
    for (let at = 0; at < values.length; at++) {
      if (removed.has(trace.classes.find(labels[Math.floor(at / block) % tensor.dims[axis]!]!))) values[at] = 0;
    }
    graph.setInput(node, input, graph.addConstant('dead', floatTensor(tensor.dims, values)));
  }
}

async function subjectOf({ model, input }: PruneNet) {
  const graph = tinyGraph({ ...model, constants: { ...model.constants, ...clipBounds } });
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', ...input.slice(1)] as (string | number)[] }];
  const data = await openDataset('random:4');
  const feeding = { inputs, preprocess: null, batchSize: 2, seed: 1 };
  return { graph, data, feeding, ...(await traceGroups(graph, data, feeding)) };
}

export interface Losslessness {
  /** Groups that the net names and the trace did not find. */
  readonly missed: readonly string[];
  /** Largest change of the output, as a share of its range. */
  readonly difference: number;
  /** Share of the multiply-accumulates that is left. */
  readonly macsLeft: number;
  /** True when every group lost channels. */
  readonly isNarrower: boolean;
}

const sorted = (names: string): string => names.split('+').sort().join('+');

/** Makes half of every hidden width of a net dead, and prunes half of it by norm. */
export async function pruneDeadHalf(net: PruneNet): Promise<Losslessness> {
  const { graph, data, feeding, found, shapes } = await subjectOf(net);
  const names = found.prunable.map(({ producers }) => sorted(producers.map(({ outputs }) => outputs[0]).join('+')));
  const dead = cloneGraph(graph);
  const trace = traceChannels(dead, shapes);
  // Numbers of classes are given in the order of the nodes, so the same in every trace of one network.
  const removed = new Set(
    found.prunable.flatMap(({ channels }) =>
      channels
        .filter((_, at) => (at * 7 + 3) % channels.length < Math.floor(channels.length / 2))
        .map(({ root }) => root),
    ),
  );
  starveChannels(dead, trace, removed);
  silenceChannels(dead, trace, removed);
  const options = { importance: 'l1', target: { ratio: 0.5 }, alignment, tied: true, refit: false, seed: 1 } as const;
  const pruned = await prune(dead, { ...options, data, feeding });
  const feeds = { x: noise(net.input, 77) };
  const [expected, given] = [await run(dead, feeds), await run(pruned.graph, feeds)];
  return {
    missed: net.groups.filter((wanted) => !names.includes(sorted(wanted))),
    difference: relativeDifference(expected.y!, given.y!),
    macsLeft: pruned.macsAfter / pruned.macsBefore,
    isNarrower: pruned.widths.every(({ before, after }) => after < before || before === 1),
  };
}

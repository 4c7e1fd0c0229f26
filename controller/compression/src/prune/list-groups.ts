/** The prunable groups of a model file, as people read them. */
import { openDataset } from '../data/dataset.js';
import { readChecked } from '../inspect.js';
import { prepare } from '../recipe/prepare.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { type Frozen, isInner } from './groups.js';
import { traceGroups } from './prunable.js';

export interface ListedGroup {
  readonly group: string;
  readonly channels: number;
  /** A residual connection ties the channels of several layers together. */
  readonly tied: boolean;
  readonly producers: string[];
  readonly consumers: string[];
}

export interface ListedGroups {
  readonly groups: ListedGroup[];
  readonly frozen: Frozen[];
}

/** Runs the model on random inputs: shapes that are not declared are read from values. Throws the codes of reading and probing. */
export async function listGroups(file: string): Promise<ListedGroups> {
  const graph = await readChecked(file);
  const { inputs } = await probeModel(file, limitsOf(graph));
  const feeding = { inputs, preprocess: null, batchSize: 2, seed: 1, limit: 2 };
  const data = await openDataset('random:2');
  const prepared = await prepare(graph, data, feeding);
  const { found } = await traceGroups(prepared.graph, data, feeding);
  const groups = found.prunable.map((group) => ({
    ...{ group: group.id, channels: group.channels.length, tied: !isInner(group) },
    producers: group.producers.map(({ name }) => name),
    consumers: group.consumers.map(({ name }) => name),
  }));
  return { groups, frozen: [...found.frozen] };
}

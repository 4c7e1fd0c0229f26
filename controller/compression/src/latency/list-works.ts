/** What each operator of a model does, under the names that latency tables use. */
import { openDataset } from '../data/dataset.js';
import { firstFeeds } from '../data/feeds.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { readChecked } from '../inspect.js';
import { rewriting } from '../passes/index.js';
import { prepare } from '../recipe/prepare.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { runShapes } from '../runtime/run-shapes.js';
import { type Works, worksOf } from './plan.js';

/** Runs the model on random inputs. Throws the codes of reading and probing. */
export async function listWorks(file: string, profile: HardwareProfile): Promise<Works> {
  const graph = await readChecked(file);
  const { inputs } = await probeModel(file, limitsOf(graph));
  const feeding = { inputs, preprocess: null, batchSize: 1, seed: 1 };
  const data = await openDataset('random:1');
  const prepared = await prepare(graph, data, feeding, rewriting(profile));
  const feeds = await firstFeeds(data, feeding, 1);
  return feeds ? worksOf(prepared.graph, await runShapes(prepared.graph, feeds)) : {};
}

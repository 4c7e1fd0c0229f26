/** How near to float each layer of a build is, and was with plain rounding. */
import type { LayerFigures } from '@espalier/proto';
import type { Graph } from '../onnx/graph.js';
import { collectGarbage } from '../runtime/collect.js';
import { layerNoise } from './layer-noise.js';
import type { Plan } from './plan.js';
import { firstFloats, type Samples } from './samples.js';
import type { Choice, Search } from './search.js';

/** What every quantizer does at least: whole ranges, nothing fitted. */
const PLAIN: Choice = { method: 'minmax', equalize: false, bias: false, round: false };
/** Floats of inputs that this is seen on: it ranks layers, and chooses nothing. */
const SEEN_FLOATS = 300_000;
/** The dB of a layer without any noise: JSON has no infinity. */
const EXACT_DB = 200;

/** Of each node of the plan that computes in int8, in the graph's order. @param built the graph that came out, of a choice */
export async function layersOf(
  search: Search,
  plan: Plan,
  { graph, choice }: { graph: Graph; choice: Choice },
  { check }: Samples,
): Promise<LayerFigures[]> {
  const samples = firstFloats(check, SEEN_FLOATS);
  const float = search.baseOf(PLAIN).graph;
  const values = madeBy(float, plan);
  const { graph: plain } = await search.write(PLAIN, plan);
  collectGarbage();
  const before = await layerNoise(float, plain, [...values.keys()], samples);
  const after = await layerNoise(search.baseOf(choice).graph, graph, [...values.keys()], samples);
  const decibel = (noise: number): number => (noise > 0 ? Math.min(EXACT_DB, -10 * Math.log10(noise)) : EXACT_DB);
  return [...values].flatMap(([value, { node, op }]) => {
    const [was, is] = [before.get(value), after.get(value)];
    return was === undefined || is === undefined ? [] : [{ node, op, before: decibel(was), after: decibel(is) }];
  });
}

/** What each int8 node makes: after the activation that its quantization absorbed. */
function madeBy(graph: Graph, { decisions }: Plan): Map<string, { node: string; op: string }> {
  const found = new Map<string, { node: string; op: string }>();
  for (const { name, opType, outputs } of graph.nodes) {
    if (decisions.get(name)?.kind !== 'int8') continue;
    const [output] = outputs;
    const absorbed = graph.consumers(output!).find((reader) => decisions.get(reader.name)?.kind === 'absorbed');
    found.set(absorbed?.outputs[0] ?? output!, { node: name, op: opType });
  }
  return found;
}

/** How far each layer of a quantized graph is from float, both run side by side inside one graph. */
import type { Batch } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, subgraphsOf } from '../onnx/node.js';
import { returningOnly } from '../passes/returning-only.js';
import { collectGarbage } from '../runtime/collect.js';
import { defaultOptions, Session } from '../runtime/session.js';

/** Without the layouts of the last level, which copy all weights once more to be faster in many runs. */
const FEW_RUNS = { ...defaultOptions, graphOptimizationLevel: 'extended' } as const;

/** Power of the difference over power of the float value: 10^(-SQNR / 10). */
export type LayerNoise = ReadonlyMap<string, number>;

/**
 * Noise of these values in one pass over the samples; only sums leave the runtime. Empty for graphs with subgraphs, whose
 * inner names would collide.
 * @param values that both graphs make under the same name
 */
export async function layerNoise(
  float: Graph,
  quantized: Graph,
  values: readonly string[],
  samples: readonly Batch[],
): Promise<LayerNoise> {
  const made = values.filter((value) => float.producer(value) && quantized.producer(value));
  const isNested = [float, quantized].some((graph) => graph.nodes.some((node) => [...subgraphsOf(node)].length > 0));
  if (isNested || made.length === 0) return new Map();
  const { graph, sums } = sideBySide(float, quantized, made);
  const outputs = [...sums.values()].flat();
  const session = await openSideBySide(returningOnly(graph, outputs));
  const totals = new Map(outputs.map((output) => [output, 0]));
  try {
    for (const { feeds } of samples) {
      const found = await session.runAlone(feeds);
      for (const output of outputs) totals.set(output, totals.get(output)! + Number(found[output]!.data[0]));
    }
  } finally {
    await session.dispose();
    collectGarbage();
  }
  return new Map(
    [...sums].flatMap(([value, [signal, noise]]) => {
      const [power, wrong] = [totals.get(signal)!, totals.get(noise)!];
      return power > 0 && Number.isFinite(wrong) ? [[value, wrong / power]] : [];
    }),
  );
}

async function openSideBySide(graph: Graph): Promise<Session> {
  const session = await Session.open(encodeModel(graph), 'float and int8 side by side', FEW_RUNS);
  // The bytes that it was read from are twice the weights.
  collectGarbage();
  return session;
}

type Sums = Map<string, [signal: string, noise: string]>;

/** Both networks in one graph, on the same inputs, with the sums of squares of the float values and of the differences. */
function sideBySide(float: Graph, quantized: Graph, values: readonly string[]): { graph: Graph; sums: Sums } {
  const graph = cloneGraph(float);
  if (quantized.opset() > graph.opset()) graph.setOpset(quantized.opset());
  const twins = new Map(quantized.inputs.map(({ name }) => [name, name]));
  for (const [name, tensor] of quantized.constants) twins.set(name, graph.addConstant(`${name}/twin`, tensor));
  const twinOf = (value: string): string => {
    if (value === '') return '';
    if (!twins.has(value)) twins.set(value, graph.freshName(`${value}/twin`));
    return twins.get(value)!;
  };
  for (const { name, opType, domain, inputs, outputs, attributes } of quantized.nodes) {
    graph.add({
      ...{ name: `${name}/twin`, opType, domain, attributes: [...attributes.values()] },
      ...{ inputs: inputs.map(twinOf), outputs: outputs.map(twinOf) },
    });
  }
  const squares = (value: string, name: string): string => {
    const output = graph.freshName(name);
    const attributes = [intAttribute('keepdims', 0)];
    return graph.add({ opType: 'ReduceSumSquare', inputs: [value], outputs: [output], attributes }).outputs[0]!;
  };
  const sums: Sums = new Map();
  for (const value of values) {
    const difference = graph.freshName(`${value}/difference`);
    graph.add({ opType: 'Sub', inputs: [value, twinOf(value)], outputs: [difference] });
    sums.set(value, [squares(value, `${value}/signal`), squares(difference, `${value}/noise`)]);
  }
  return { graph, sums };
}

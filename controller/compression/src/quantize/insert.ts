import type { HardwareProfile } from '../hardware/profile.js';
import { importDomain } from '../onnx/domains.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { floatsOf, floatTensor } from '../onnx/tensor.js';
import { ActivationParams, activationTypes } from './activation-params.js';
import { type ActivationType, activationTensor, qmaxOf, quantizerDomain } from './activation-tensor.js';
import { type Affine, affineOf, quantizeUnsigned, type Range } from './affine.js';
import { quantizeConstants, type Tuning, untuned } from './node-constants.js';
import { clipBounds, type Plan, WEIGHTED } from './place.js';

/** What the insertion did beyond the plan, for the report. */
export interface Insertion {
  readonly raisedForBias: number;
  readonly raisedForPairs: number;
}

/**
 * Writes the plan into the graph, in place, as QuantizeLinear/DequantizeLinear pairs on activations, int8 weights and
 * int32 biases behind a DequantizeLinear.
 * @param ranges one for each of the plan's values, tied values equal
 * @param tuning how biases and roundings are fitted; by default weights are rounded to the nearest
 */
export function insertQuantizers(
  graph: Graph,
  plan: Plan,
  ranges: ReadonlyMap<string, Range>,
  profile: HardwareProfile,
  tuning: Tuning = untuned,
): Insertion {
  const { activations } = profile.scheme;
  const params = new ActivationParams(ranges, plan.fixed, profile.scheme);
  const types = activationTypes(graph, plan, activations);
  for (const type of new Set([activations, ...types.values()]))
    importDomain(graph, quantizerDomain(type, graph.opset()));
  absorbActivations(graph, plan, params);
  const kind = (node: Node) => plan.decisions.get(node.name)?.kind;
  const typeOf = (node: Node) => types.get(node) ?? activations;
  const done = { raisedForBias: 0, raisedForPairs: 0 };
  for (const node of [...graph.nodes]) {
    if (kind(node) !== 'int8') continue;
    if (WEIGHTED.has(node.opType)) {
      const input = params.of(node.inputs[0]!, typeOf(node));
      const { raisedForBias, raisedForPairs } = quantizeConstants(graph, node, input, profile.scheme, tuning);
      done.raisedForBias += raisedForBias;
      done.raisedForPairs += raisedForPairs;
    } else quantizeConstantInputs(graph, node, typeOf(node));
  }
  const inside = (node: Node) => kind(node) === 'int8' || kind(node) === 'carry';
  for (const value of params.values) {
    const producer = graph.producer(value);
    const chosen = plan.readers?.get(value);
    const readers = graph.consumers(value).filter((node) => (chosen ? chosen.has(node.name) : inside(node)));
    const isMade = producer && inside(producer) && !chosen;
    // Who reads in other bits than the maker's has a pair of its own behind the maker's.
    for (const [type, reading] of Map.groupBy(readers, typeOf)) {
      if (!isMade || type !== typeOf(producer)) quantizeRead(graph, value, params.of(value, type), reading, type);
    }
    if (isMade) quantizeMade(graph, producer, value, params.of(value, typeOf(producer)), typeOf(producer));
  }
  if (profile.placement.at === 'profitable-edges') {
    for (const node of [...graph.nodes]) if (node.opType === 'Pad' && kind(node) === 'carry') padQuantized(graph, node);
  }
  graph.sort();
  return done;
}

/** Removes Relu and Clip that quantization does itself: their producer makes their output. */
function absorbActivations(graph: Graph, plan: Plan, params: ActivationParams): void {
  for (const node of [...graph.nodes]) {
    if (plan.decisions.get(node.name)?.kind !== 'absorbed') continue;
    const bounds = node.opType === 'Relu' ? { min: 0, max: Number.POSITIVE_INFINITY } : clipBounds(graph, node)!;
    const output = node.outputs[0]!;
    params.clip(output, bounds);
    graph.change(graph.producer(node.inputs[0]!)!, { outputs: [output] });
    graph.remove(node);
  }
}

const scaleAndZero = (graph: Graph, value: string, { scale, zero }: Affine, type: ActivationType): [string, string] => [
  graph.addConstant(`${value}/scale`, floatTensor([], Float32Array.of(scale))),
  graph.addConstant(`${value}/zero`, activationTensor(type, [], [zero])),
];

/** A value an int8 node makes: everyone, the graph's output included, reads it through the pair. */
function quantizeMade(graph: Graph, producer: Node, value: string, params: Affine, type: ActivationType): void {
  const raw = graph.freshName(`${value}/float`);
  const quantized = graph.freshName(`${value}/int8`);
  const [scale, zero] = scaleAndZero(graph, value, params, type);
  graph.change(producer, { outputs: producer.outputs.map((output) => (output === value ? raw : output)) });
  const domain = quantizerDomain(type, graph.opset());
  graph.add({ opType: 'QuantizeLinear', domain, inputs: [raw, scale, zero], outputs: [quantized] });
  graph.add({ opType: 'DequantizeLinear', domain, inputs: [quantized, scale, zero], outputs: [value] });
}

/**
 * ONNX Runtime keeps a Pad between Q and DQ in float, so it pads the quantized tensor itself: with the zero point,
 * which is zero.   [ONNX Pad-13: data and constant_value have one type]
 */
function padQuantized(graph: Graph, node: Node): void {
  const before = graph.producer(node.inputs[0]!);
  const [after] = graph.consumers(node.outputs[0]!);
  if (before?.opType !== 'DequantizeLinear' || after?.opType !== 'QuantizeLinear') return;
  const [pads, axes] = [node.inputs[1] ?? '', node.inputs[3]];
  const inputs = [before.inputs[0]!, pads, before.inputs[2]!];
  graph.change(node, { inputs: axes ? [...inputs, axes] : inputs, outputs: [after.outputs[0]!] });
  graph.remove(after);
  if (graph.consumers(before.outputs[0]!).length === 0 && !graph.isOutput(before.outputs[0]!)) graph.remove(before);
}

/** A float value that int8 nodes read: only they read it through the pair. */
function quantizeRead(
  graph: Graph,
  value: string,
  params: Affine,
  readers: readonly Node[],
  type: ActivationType,
): void {
  if (readers.length === 0) return;
  const quantized = graph.freshName(`${value}/int8`);
  const back = graph.freshName(`${value}/back`);
  const [scale, zero] = scaleAndZero(graph, value, params, type);
  const domain = quantizerDomain(type, graph.opset());
  graph.add({ opType: 'QuantizeLinear', domain, inputs: [value, scale, zero], outputs: [quantized] });
  graph.add({ opType: 'DequantizeLinear', domain, inputs: [quantized, scale, zero], outputs: [back] });
  for (const node of readers) {
    graph.change(node, { inputs: node.inputs.map((input) => (input === value ? back : input)) });
  }
}

/** Constants that Add, Mul or Concat read become integers, per tensor. */
function quantizeConstantInputs(graph: Graph, node: Node, type: ActivationType): void {
  node.inputs.forEach((value, input) => {
    const tensor = graph.constants.get(value);
    const values = tensor && floatsOf(tensor);
    if (!values) return;
    let [min, max] = [0, 0];
    for (const one of values) [min, max] = [Math.min(min, one), Math.max(max, one)];
    const params = affineOf({ min, max }, false, qmaxOf(type));
    const numbers = quantizeUnsigned(values, params, qmaxOf(type));
    const data = graph.addConstant(`${value}/int8`, activationTensor(type, tensor.dims, numbers));
    const back = graph.freshName(`${value}/back`);
    graph.add({
      ...{ opType: 'DequantizeLinear', domain: quantizerDomain(type, graph.opset()) },
      inputs: [data, ...scaleAndZero(graph, value, params, type)],
      outputs: [back],
    });
    graph.setInput(node, input, back);
  });
}

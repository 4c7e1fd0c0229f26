import type { GraphProto } from '../gen/onnx_pb.js';
import type { Graph } from '../graph.js';
import { type Node, tensorOf } from '../node.js';
import { numbersOf, type Tensor, Type } from '../tensor.js';
import type { Rule } from './rule.js';

/** A loop with no condition of its own that runs longer than this is a file gone wrong. */
const TRIPS_MAX = 2 ** 24;

const first = (tensor: Tensor | undefined): number | null =>
  tensor && (tensor.type === Type.INT64 || tensor.type === Type.BOOL) ? (numbersOf(tensor)[0] ?? null) : null;

/** The value an inner value is handed on from through Identity. */
function origin(body: GraphProto, value: string): string {
  const makers = new Map(body.node.flatMap((node) => node.output.map((output) => [output, node] as const)));
  let at = value;
  for (let steps = 0; steps <= body.node.length; steps++) {
    const maker = makers.get(at);
    if (maker?.opType !== 'Identity') return at;
    at = maker.input[0] ?? '';
  }
  return at;
}

/** True when the body's condition is the one it was given: then the number of trips alone ends the loop. */
function handsOnCondition(body: GraphProto): boolean {
  const [returned, given] = [body.output[0]?.name, body.input[1]?.name];
  return returned !== undefined && given !== undefined && origin(body, returned) === given;
}

/** Why a Loop runs for ever, or as good as; null when it may end. */
function endless(graph: Graph, node: Node): string | null {
  const body = node.attributes.get('body')?.g;
  if (!body || !handsOnCondition(body)) return null;
  const constant = (input: number): number | null => {
    const value = node.inputs[input] ?? '';
    const maker = graph.producer(value);
    const held = maker?.opType === 'Constant' ? (tensorOf(maker, 'value') ?? undefined) : undefined;
    return first(graph.constants.get(value) ?? held);
  };
  if (node.inputs[1] && constant(1) !== 1) return null;
  if (!node.inputs[0]) return 'it has no number of trips, and its condition never changes';
  const trips = constant(0);
  return trips !== null && trips > TRIPS_MAX ? `it makes ${trips} trips, and its condition never changes` : null;
}

export const loopRules: readonly Rule[] = [
  {
    name: 'a loop comes to its end',
    clause: 'Loop-16: "infinite loop" is one of its forms; such a model has no result',
    *find(graph) {
      for (const node of graph.nodes) {
        const why = node.opType === 'Loop' && node.domain === '' ? endless(graph, node) : null;
        if (why) yield { at: node.name, why };
      }
    },
  },
];

/** Weights and arithmetic in half precision, float32 at the edges: a caller sees the same inputs and outputs. */
import { create } from '@bufbuild/protobuf';
import type { NodeReport } from '@espalier/proto';
import { cloneGraph } from '../onnx/codec.js';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  type ValueInfoProto,
} from '../onnx/gen/onnx_pb.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, type Node, subgraphsOf, tensorOf } from '../onnx/node.js';
import { floatsOf, Type } from '../onnx/tensor.js';
import { toProto } from '../onnx/tensor-proto.js';
import { verify } from '../onnx/verify.js';
import { removeDead } from '../passes/remove-dead.js';
import { HALF_MAX, halfTensor } from './half.js';
import type { Transformation } from './transform.js';

/** Inputs that are float32 whatever the model's type, by operator.   [ONNX Resize-19, Upsample-9] */
const FLOAT_INPUTS: Readonly<Record<string, readonly number[]>> = { Resize: [2], Upsample: [1] };
/** Operators that have no half form, with their float inputs: they read float32 and make integers.   [ONNX NonMaxSuppression-11] */
const FLOAT_ONLY: Readonly<Record<string, readonly number[]>> = { NonMaxSuppression: [0, 1, 3, 4] };
/** Operators that make float32 of no float input. */
const MAKERS = /^(RandomNormal|RandomUniform|EyeLike)$/;

const isFloat = (info: ValueInfoProto): boolean =>
  info.type?.value.case === 'tensorType' && info.type.value.value.elemType === Type.FLOAT;

/** The whole model in half precision. Pure. */
export const toFp16: Transformation = (graph) => {
  const why = whyNot(graph);
  if (why) return { why };
  const copy = cloneGraph(graph);
  // Types of inner values are the old ones; the runtime infers the new.
  copy.shell.graph!.valueInfo = [];
  const kept = keptConstants(copy);
  for (const [name, tensor] of copy.constants) {
    if (tensor.type === Type.FLOAT && !kept.has(name)) copy.constants.set(name, halfTensor(tensor));
  }
  for (const node of copy.nodes) retarget(copy, node);
  for (const node of [...copy.nodes]) keepFloat(copy, node);
  castEdges(copy);
  copy.sort();
  removeDead.run(copy);
  verify(copy, 'fp16');
  const nodes = graph.nodes.map(({ name, opType: op }): NodeReport => {
    const isKept = op in FLOAT_ONLY;
    const reason = isKept ? `${op} has no half form` : null;
    return { name, op, precision: isKept ? 'float32' : 'fp16', share: null, reason };
  });
  return { graph: copy, nodes };
};

function whyNot(graph: Graph): string | null {
  const nested = graph.nodes.find((node) => [...subgraphsOf(node)].length > 0);
  if (nested) return `${nested.name} (${nested.opType}) has a subgraph, whose types are not known`;
  const foreign = graph.nodes.find(({ domain }) => domain !== '');
  if (foreign) return `${foreign.name} is of domain ${foreign.domain}, whose types are not known`;
  const maker = graph.nodes.find(({ opType }) => MAKERS.test(opType));
  if (maker) return `${maker.name} (${maker.opType}) makes float32 of its own`;
  for (const [name, tensor] of graph.constants) {
    if (
      tensor.type === Type.FLOAT &&
      floatsOf(tensor)!.some((value) => Math.abs(value) > HALF_MAX && Number.isFinite(value))
    ) {
      return `${name} holds values beyond ${HALF_MAX}, the largest half`;
    }
  }
  return graph.inputs.some(isFloat) ? null : 'the model has no float input';
}

/** Constants that are read as float32 somewhere. A constant that is read as both is stored twice. */
function keptConstants(graph: Graph): ReadonlySet<string> {
  const kept = new Set<string>();
  for (const node of graph.nodes) {
    for (const input of FLOAT_INPUTS[node.opType] ?? []) {
      const value = node.inputs[input];
      const tensor = value ? graph.constants.get(value) : undefined;
      if (!tensor || tensor.type !== Type.FLOAT) continue;
      const own = graph.addConstant(`${node.name}/float/${input}`, tensor);
      graph.setInput(node, input, own);
      kept.add(own);
    }
  }
  return kept;
}

/** Attributes that name a type or hold numbers of it. */
function retarget(graph: Graph, node: Node): void {
  if (node.opType === 'Cast' && intOf(node, 'to', 0) === Type.FLOAT) {
    graph.setAttribute(node, 'to', intAttribute('to', Type.FLOAT16));
  }
  const filled = node.opType === 'ConstantOfShape' ? tensorOf(node, 'value') : undefined;
  if (filled === null || filled?.type === Type.FLOAT) {
    const zero = { type: Type.FLOAT, dims: [1], bytes: new Uint8Array(4) };
    const t = toProto('value', halfTensor(filled ?? zero));
    graph.setAttribute(node, 'value', create(AttributeProtoSchema, { name: 'value', type: Kind.TENSOR, t }));
  }
}

/** An operator without a half form reads float32. */
function keepFloat(graph: Graph, node: Node): void {
  for (const input of FLOAT_ONLY[node.opType] ?? []) {
    const value = node.inputs[input];
    if (value) graph.setInput(node, input, cast(graph, value, Type.FLOAT, graph.freshName(`${value}/float`)));
  }
}

function cast(graph: Graph, from: string, type: Type, to: string): string {
  return graph.add({ opType: 'Cast', inputs: [from], outputs: [to], attributes: [intAttribute('to', type)] })
    .outputs[0]!;
}

function castEdges(graph: Graph): void {
  for (const info of graph.inputs.filter(isFloat)) {
    const half = graph.freshName(`${info.name}/half`);
    graph.replaceUses(info.name, half);
    cast(graph, info.name, Type.FLOAT16, half);
  }
  for (const info of graph.outputs.filter(isFloat)) {
    const maker = graph.producer(info.name);
    if (!maker) continue;
    const half = graph.freshName(`${info.name}/half`);
    graph.change(maker, { outputs: maker.outputs.map((value) => (value === info.name ? half : value)) });
    graph.replaceUses(info.name, half);
    cast(graph, half, Type.FLOAT, info.name);
  }
}

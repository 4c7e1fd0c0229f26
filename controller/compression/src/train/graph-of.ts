/** What is written on a tape, as a model. */
import { create } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../onnx/gen/onnx_pb.js';
import { Graph } from '../onnx/graph.js';
import { Type } from '../onnx/tensor.js';
import { MICROSOFT, type Ref, type Tape } from './tape.js';

/** The operator set that the rules write in, and with it the IR. */
const OPSET = 17n;
const IR_VERSION = 9n;
const DOMAINS = [MICROSOFT, 'com.microsoft.nchwc'];

/** A float32 value of these sizes; one that has a name may vary. */
export function valueInfo(name: string, dims: readonly (number | string)[]): ValueInfoProto {
  const dim = dims.map((size) =>
    typeof size === 'string'
      ? { value: { case: 'dimParam' as const, value: size } }
      : { value: { case: 'dimValue' as const, value: BigInt(size) } },
  );
  const shape = create(TensorShapeProtoSchema, {
    dim: dim.map((one) => create(TensorShapeProto_DimensionSchema, one)),
  });
  const value = create(TypeProto_TensorSchema, { elemType: Type.FLOAT, shape });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value } }),
  });
}

/**
 * @param inputs values that a caller feeds, float32
 * @param outputs what the model returns, under which name: the values are renamed, because an Identity would copy them
 */
export function graphOf(tape: Tape, inputs: readonly Ref[], outputs: Readonly<Record<string, Ref>>): Graph {
  const names = new Map(Object.entries(outputs).map(([name, value]) => [value, name]));
  const named = (value: string): string => names.get(value) ?? value;
  const nodes = tape.nodes.map((draft) => ({
    ...{ name: draft.name!, opType: draft.opType, domain: draft.domain ?? '' },
    ...{ inputs: draft.inputs.map(named), outputs: draft.outputs.map(named) },
    attributes: new Map((draft.attributes ?? []).map((attribute) => [attribute.name, attribute])),
  }));
  const shell = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }, ...DOMAINS.map((domain) => ({ domain, version: 1n }))],
    graph: { name: 'training' },
  });
  return new Graph(shell, {
    nodes,
    constants: new Map(tape.constants),
    inputs: inputs.map((name) => valueInfo(name, tape.shape(name))),
    outputs: Object.entries(outputs).map(([name, value]) => valueInfo(name, tape.shape(value))),
  });
}

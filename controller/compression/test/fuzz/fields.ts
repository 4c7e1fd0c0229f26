/** Mutations of a decoded model: each changes one field to something an exporter or an attacker might write. */
import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  FunctionProtoSchema,
  TensorProto_DataLocation as Location,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from '@espalier/compression/onnx/gen/onnx_pb';
import { Type } from '@espalier/compression/onnx/tensor';
import { graphAttribute, node, value } from '../support/message.ts';
import { below, pick, type Random } from './bytes.ts';

type FieldMutation = (model: ModelProto, random: Random) => void;

/** Sizes at which arithmetic goes wrong. */
const SIZES = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  7n,
  65_536n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 40n,
  2n ** 62n,
  -(2n ** 63n),
] as const;
const FLOATS = [0, -1, 1e38, 1e-45, Number.NaN, Infinity, -Infinity] as const;
const OPERATORS = (
  'Conv ConvTranspose Gemm MatMul BatchNormalization Relu Clip Pad Slice Concat Split Reshape Transpose Flatten ' +
  'Identity Dropout Constant ConstantOfShape Expand Tile Resize If Loop Scan QuantizeLinear DequantizeLinear ' +
  'ReduceMean Softmax Gather Squeeze Unsqueeze GlobalAveragePool MaxPool LSTM Einsum NonMaxSuppression Nothing'
).split(' ');

const nodesOf = (model: ModelProto) => model.graph!.node;
const withNode = (model: ModelProto, random: Random, change: (one: NodeProto) => void) => {
  if (nodesOf(model).length > 0) change(pick(random, nodesOf(model)));
};
const withTensor = (model: ModelProto, random: Random, change: (tensor: TensorProto) => void) => {
  if (model.graph!.initializer.length > 0) change(pick(random, model.graph!.initializer));
};
const withAttribute = (model: ModelProto, random: Random, change: (attribute: AttributeProto) => void) => {
  const attributes = nodesOf(model).flatMap((one) => one.attribute);
  if (attributes.length > 0) change(pick(random, attributes));
};
const valuesOf = (model: ModelProto): string[] => [
  ...model.graph!.input.map(({ name }) => name),
  ...model.graph!.initializer.map(({ name }) => name),
  ...nodesOf(model).flatMap((one) => one.output),
  'nowhere',
];

export const FIELD_MUTATIONS: Readonly<Record<string, FieldMutation>> = {
  dropNode: (model, random) => void nodesOf(model).splice(below(random, nodesOf(model).length), 1),
  repeatNode(model, random) {
    withNode(model, random, (one) => nodesOf(model).push(one));
  },
  moveNode(model, random) {
    const [moved] = nodesOf(model).splice(below(random, nodesOf(model).length), 1);
    if (moved) nodesOf(model).splice(below(random, nodesOf(model).length), 0, moved);
  },
  changeOperator: (model, random) =>
    withNode(model, random, (one) => {
      one.opType = pick(random, OPERATORS);
    }),
  changeDomain: (model, random) =>
    withNode(model, random, (one) => {
      one.domain = pick(random, ['', 'ai.onnx', 'com.microsoft', 'nowhere']);
    }),
  rewire: (model, random) =>
    withNode(model, random, (one) => {
      one.input[below(random, one.input.length + 1)] = pick(random, [...valuesOf(model), '', 'nowhere']);
      one.input = [...one.input].map((name) => name ?? '');
    }),
  closeCycle: (model, random) =>
    withNode(model, random, (one) => {
      const later = nodesOf(model).slice(nodesOf(model).indexOf(one));
      one.input[0] = pick(random, later.flatMap(({ output }) => output).concat('nowhere'));
    }),
  dropInput: (model, random) =>
    withNode(model, random, (one) => void one.input.splice(below(random, one.input.length), 1)),
  emptyInput: (model, random) =>
    withNode(model, random, (one) => {
      if (one.input.length > 0) one.input[below(random, one.input.length)] = '';
    }),
  repeatOutput: (model, random) =>
    withNode(model, random, (one) => void one.output.push(pick(random, valuesOf(model)))),
  dropOutput: (model, random) => withNode(model, random, (one) => void one.output.pop()),
  sameName: (model) =>
    nodesOf(model).forEach((one) => {
      one.name = 'same';
    }),
  changeDim: (model, random) =>
    withTensor(model, random, (tensor) => {
      tensor.dims[below(random, tensor.dims.length)] = pick(random, SIZES);
    }),
  reshape: (model, random) =>
    withTensor(model, random, (tensor) => {
      tensor.dims = pick(random, [
        tensor.dims.toReversed(),
        [tensor.dims.reduce((a, b) => a * b, 1n)],
        [...tensor.dims, 1n],
      ]);
    }),
  changeType: (model, random) =>
    withTensor(model, random, (tensor) => {
      tensor.dataType = below(random, 28);
    }),
  retype: (model, random) =>
    withTensor(model, random, (tensor) => {
      tensor.dataType = pick(random, [Type.INT32, Type.UINT32, Type.FLOAT]);
    }),
  claimHuge: (model, random) =>
    withTensor(model, random, (tensor) => {
      tensor.dims = [2n ** 20n, 2n ** 20n, 4n];
      if (random() < 0.5) tensor.rawData = new Uint8Array();
    }),
  notFinite: (model, random) =>
    withTensor(model, random, (tensor) => {
      const bytes = tensor.rawData.slice();
      if (bytes.length >= 4)
        new DataView(bytes.buffer).setFloat32(4 * below(random, bytes.length >> 2), pick(random, FLOATS), true);
      tensor.rawData = bytes;
    }),
  dropTensor: (model, random) =>
    void model.graph!.initializer.splice(below(random, model.graph!.initializer.length), 1),
  repeatTensor(model, random) {
    withTensor(model, random, (tensor) =>
      model.graph!.initializer.push(create(TensorProtoSchema, { ...tensor, dims: [1n] })),
    );
  },
  moveOutside: (model, random) =>
    withTensor(model, random, (tensor) => {
      tensor.dataLocation = Location.EXTERNAL;
      const location = pick(random, ['../secret', '/etc/passwd', 'none.bin', '', '.', '/dev/zero', 'a/../../b']);
      tensor.externalData = [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: location }];
    }),
  changeInts: (model, random) =>
    withAttribute(model, random, (attribute) => {
      if (attribute.ints.length > 0) attribute.ints[below(random, attribute.ints.length)] = pick(random, SIZES);
      else attribute.i = pick(random, SIZES);
    }),
  changeFloat: (model, random) =>
    withAttribute(model, random, (attribute) => {
      attribute.f = pick(random, FLOATS);
    }),
  changeKind: (model, random) =>
    withAttribute(model, random, (attribute) => {
      attribute.type = below(random, 15);
    }),
  dropAttribute: (model, random) =>
    withNode(model, random, (one) => void one.attribute.splice(below(random, one.attribute.length), 1)),
  longAttribute: (model, random) =>
    withAttribute(model, random, (attribute) => {
      attribute.ints = new Array<bigint>(below(random, 40)).fill(1n);
    }),
  changeShape: (model, random) => {
    const infos = [...model.graph!.input, ...model.graph!.output, ...model.graph!.valueInfo];
    const type = infos.length > 0 ? pick(random, infos).type?.value : undefined;
    if (type?.case !== 'tensorType') return;
    const dims = type.value.shape?.dim ?? [];
    if (dims.length > 0 && random() < 0.6) pick(random, dims).value = { case: 'dimValue', value: pick(random, SIZES) };
    else if (random() < 0.5) dims.pop();
    else type.value.elemType = below(random, 28);
  },
  dropInputs: (model) => {
    model.graph!.input = [];
  },
  dropOutputs: (model, random) => {
    model.graph!.output = random() < 0.5 ? [] : model.graph!.output.slice(1);
  },
  returnInside: (model, random) =>
    void model.graph!.output.push(create(ValueInfoProtoSchema, value(pick(random, valuesOf(model))))),
  changeOpset: (model, random) => {
    for (const set of model.opsetImport.slice(0, 1))
      set.version = pick(random, [0n, 1n, 6n, 7n, 9n, 11n, 13n, 21n, 999n, -1n]);
  },
  dropOpset: (model) => {
    model.opsetImport = [];
  },
  changeIr: (model, random) => {
    model.irVersion = pick(random, [0n, 1n, 3n, 4n, 99n, 2n ** 40n]);
  },
  nestDeep(model, random) {
    let inner = create(NodeProtoSchema, node('Relu', ['x'], ['deep']));
    const depth = pick(random, [3, 20, 45, 200]);
    for (let at = 0; at < depth; at++) {
      const branch = { name: `b${at}`, output: [value('deep')], node: [inner] };
      const attribute = [graphAttribute('then_branch', branch), graphAttribute('else_branch', { name: 'e' })];
      inner = create(NodeProtoSchema, node('If', ['x'], ['deep'], { attribute }));
    }
    nodesOf(model).unshift(inner);
  },
  callItself(model) {
    model.functions.push(
      create(FunctionProtoSchema, {
        name: 'Self',
        domain: 'self',
        input: ['a'],
        output: ['b'],
        node: [node('Self', ['a'], ['b'], { domain: 'self' })],
        opsetImport: [{ domain: 'self', version: 1n }],
      }),
    );
    model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: 'self', version: 1n }));
    const first = nodesOf(model)[0];
    if (first) Object.assign(first, { opType: 'Self', domain: 'self', attribute: [] });
  },
  growHuge(model) {
    const shape = create(TensorProtoSchema, {
      name: 'huge',
      dataType: Type.INT64,
      dims: [2n],
      int64Data: [2n ** 18n, 2n ** 17n],
    });
    model.graph!.initializer.push(shape);
    nodesOf(model).unshift(
      create(NodeProtoSchema, node('ConstantOfShape', ['huge'], ['bomb'])),
      create(NodeProtoSchema, node('ReduceMax', ['bomb'], ['bombed'])),
    );
    model.graph!.output.push(create(ValueInfoProtoSchema, value('bombed')));
  },
};

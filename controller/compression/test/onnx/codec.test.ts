import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { encodeModel, overridableDefaults, parseModel, readModel } from '@espalier/compression/onnx/codec';
import { TensorProto_DataLocation as Location, ModelProtoSchema } from '@espalier/compression/onnx/gen/onnx_pb';
import { toProto } from '@espalier/compression/onnx/tensor-proto';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { distance, floats, noise, run, tinyGraph } from '../support/tiny.ts';

t.test('a model read and written again computes the same, bit for bit', async (t) => {
  const graph = await readModel(sample.model);
  const again = parseModel(encodeModel(graph));
  const image = noise([2, 1, 28, 28], 1);
  t.equal(distance((await run(graph, { image })).logits!, (await run(again, { image })).logits!), 0);
  t.strictSame([again.nodes.length, again.constants.size], [graph.nodes.length, graph.constants.size]);
});

t.test('what is no model is refused with a code', async (t) => {
  const dir = t.testdir({ 'empty.onnx': '', 'text.onnx': 'this is no protobuf at all' });
  writeFileSync(path.join(dir, 'cut.onnx'), readFileSync(sample.model).subarray(0, 100_000));
  for (const file of ['empty.onnx', 'text.onnx', 'cut.onnx']) {
    await t.rejects(readModel(path.join(dir, file)), { code: 'ESP_MODEL_INVALID' }, file);
  }
  await t.rejects(readModel(path.join(dir, 'absent.onnx')), { code: 'ESP_MODEL_UNREADABLE' });
});

t.test('weights repeated as inputs (IR 3) are constants, and the real input stays', async (t) => {
  const graph = tinyGraph({
    ir: 3,
    opset: 7,
    inputs: { x: [1, 4], w: [4, 2] },
    outputs: ['y'],
    constants: { w: noise([4, 2], 2) },
    nodes: [['MatMul', ['x', 'w'], ['y']]],
  });
  graph.shell.graph!.initializer = [toProto('w', graph.constants.get('w')!)];
  const read = parseModel(toBinary(ModelProtoSchema, withNodes(graph)));
  t.strictSame(
    read.inputs.map((input) => input.name),
    ['x'],
  );
  t.strictSame(overridableDefaults(read), ['w']);
});

/** A model message whose graph is complete, as an exporter would write it. */
function withNodes(graph: ReturnType<typeof tinyGraph>) {
  const model = graph.shell;
  const complete = parseModel(encodeModel(graph));
  model.graph!.node = complete.nodes.map((node) => ({
    ...({ $typeName: 'onnx.NodeProto' } as const),
    name: node.name,
    opType: node.opType,
    domain: '',
    overload: '',
    docString: '',
    metadataProps: [],
    deviceConfigurations: [],
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: [...node.attributes.values()],
  }));
  model.graph!.output = [...graph.outputs];
  return model;
}

/** Writes a model with two tensors in one side file, the first unaligned, the second without a length. */
function writeExternal(dir: string, location: string): string {
  const graph = tinyGraph({
    inputs: { x: [1, 2] },
    outputs: ['y'],
    nodes: [
      ['Add', ['x', 'a'], ['s']],
      ['Mul', ['s', 'b'], ['y']],
    ],
  });
  const model = withNodes(graph);
  const [a, b] = [floats([1, 2], [1, 2]), floats([1, 2], [3, 4])];
  const external = (name: string, entries: Record<string, string>) => {
    const proto = toProto(name, a);
    proto.rawData = new Uint8Array();
    proto.dataLocation = Location.EXTERNAL;
    proto.externalData = Object.entries(entries).map(([key, value]) => ({
      $typeName: 'onnx.StringStringEntryProto',
      key,
      value,
    }));
    return proto;
  };
  model.graph!.initializer = [
    external('a', { location, offset: '3', length: '8' }),
    external('b', { location, offset: '11' }),
  ];
  mkdirSync(path.join(dir, 'model'), { recursive: true });
  writeFileSync(path.join(dir, 'model', 'weights.bin'), Buffer.concat([Buffer.alloc(3), a.bytes, b.bytes]));
  const file = path.join(dir, 'model', 'm.onnx');
  writeFileSync(file, toBinary(ModelProtoSchema, model));
  return file;
}

t.test('tensors of a side file are read whole, unaligned and without a length', async (t) => {
  const graph = await readModel(writeExternal(t.testdir(), 'weights.bin'));
  const { y } = await run(parseModel(encodeModel(graph)), { x: floats([1, 2], [10, 20]) });
  t.strictSame([...y!], [33, 88]);
});

t.test('a side file outside the model’s folder is refused by name', async (t) => {
  const file = writeExternal(t.testdir({ 'secret.bin': 'x'.repeat(64) }), '../secret.bin');
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: /secret\.bin/ });
});

t.test('a side file that is too short or absent is refused', async (t) => {
  const dir = t.testdir();
  const file = writeExternal(dir, 'weights.bin');
  writeFileSync(path.join(dir, 'model', 'weights.bin'), Buffer.alloc(12));
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: /early/ });
  await t.rejects(readModel(writeExternal(t.testdir(), 'gone.bin')), { code: 'ESP_MODEL_EXTERNAL_DATA' });
});

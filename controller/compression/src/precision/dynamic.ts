/** Activations rounded at run time, by the range that each run has: for recurrent and attention models. */
import type { HardwareProfile } from '../hardware/profile.js';
import { importDomain, MICROSOFT } from '../onnx/domains.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor, int8Tensor, Type } from '../onnx/tensor.js';
import { quantizeWeights } from '../quantize/weights.js';
import { finishProduct, type Matrix, matrixOf, productOf, transposed } from './matrices.js';
import { type Outcome, rewriteEach, type Transformation } from './transform.js';

const NONE = 'No MatMul, Gemm or LSTM has float weights of a size worth it';

/** MatMul and Gemm become MatMulInteger behind DynamicQuantizeLinear, LSTM becomes DynamicQuantizeLSTM. Pure. */
export const dynamic: Transformation = (graph, profile) =>
  rewriteEach(graph, 'dynamic', (copy, node) => rewrite(copy, node, profile), NONE);

function rewrite(graph: Graph, node: Node, { scheme }: HardwareProfile): Outcome | null {
  const matrix = matrixOf(graph, node);
  if (matrix && 'why' in matrix) return matrix;
  if (matrix) {
    inIntegers(graph, node, matrix, scheme.pairSafe);
    return { precision: 'dynamic int8' };
  }
  if (node.domain !== '') return null;
  if (node.opType === 'LSTM') return inIntegersLstm(graph, node, scheme.pairSafe);
  if (node.opType === 'GRU' || node.opType === 'RNN') return { why: `ONNX Runtime has no dynamic ${node.opType}` };
  if (node.opType === 'Conv') return { why: 'ONNX Runtime’s ConvInteger is slower than its float Conv' };
  return null;
}

/** y = (x/s_x + z) * q, scaled back by s_x * s_w; the runtime makes one kernel of it.   [ONNX Runtime, DynamicQuantizeMatMul] */
function inIntegers(graph: Graph, node: Node, { k, n, values, bias }: Matrix, pairSafe: boolean): void {
  const { values: numbers, scales } = quantizeWeights({
    ...{ weights: values, channels: n, inner: 1, bias: null },
    ...{ inputScale: 1, perChannel: true, pairSafe },
  });
  const value = (name: string): string => graph.freshName(`${node.outputs[0]}/${name}`);
  const [rounded, scale, zero] = [value('uint8'), value('scale'), value('zero')];
  const [sums, floats, both] = [value('sums'), value('float'), value('scales')];
  const product = productOf(graph, node, bias);
  const [input] = node.inputs;
  finishProduct(graph, node, product, bias);
  const weights = graph.addConstant(`${node.name}/int8`, int8Tensor([k, n], numbers));
  const weightScale = graph.addConstant(`${node.name}/scales`, floatTensor([n], scales));
  const weightZero = graph.addConstant(`${node.name}/zero`, int8Tensor([n], new Int8Array(n)));
  graph.add({ opType: 'DynamicQuantizeLinear', inputs: [input!], outputs: [rounded, scale, zero] });
  graph.add({ opType: 'MatMulInteger', inputs: [rounded, weights, zero, weightZero], outputs: [sums] });
  const attributes = [intAttribute('to', Type.FLOAT)];
  graph.add({ opType: 'Cast', inputs: [sums], outputs: [floats], attributes });
  graph.add({ opType: 'Mul', inputs: [scale, weightScale], outputs: [both] });
  graph.add({ opType: 'Mul', inputs: [floats, both], outputs: [product], name: `${node.name}/integer` });
}

/** Weights [directions, 4 hidden, inputs] as int8 [directions, inputs, 4 hidden] with a scale a column. */
function columnsOf(
  values: Float32Array,
  [directions, rows, columns]: readonly number[],
  pairSafe: boolean,
): { numbers: Int8Array; scales: Float32Array } {
  const size = rows! * columns!;
  const numbers = new Int8Array(values.length);
  const scales = new Float32Array(directions! * rows!);
  for (let direction = 0; direction < directions!; direction++) {
    const one = quantizeWeights({
      ...{ weights: values.subarray(direction * size, (direction + 1) * size), channels: rows! },
      ...{ inner: columns!, bias: null, inputScale: 1, perChannel: true, pairSafe },
    });
    numbers.set(transposed(one.values, rows!, columns!), direction * size);
    scales.set(one.scales, direction * rows!);
  }
  return { numbers, scales };
}

/** [ONNX Runtime, DynamicQuantizeLSTM: W and R transposed, scale and zero point of each behind the peepholes] */
function inIntegersLstm(graph: Graph, node: Node, pairSafe: boolean): Outcome {
  if (intOf(node, 'layout', 0) !== 0) return { why: 'its batch comes first, and the dynamic LSTM wants time first' };
  const found = [1, 2].map((input) => graph.constantOf(node, input));
  const floats = found.map((tensor) => tensor && floatsOf(tensor));
  if (!floats[0] || !floats[1]) return { why: 'its weights are not float constants' };
  importDomain(graph, MICROSOFT);
  const quantizers: string[] = [];
  const weights = found.map((tensor, at) => {
    const [directions, rows, columns] = tensor!.dims as [number, number, number];
    const name = `${node.name}/${at === 0 ? 'W' : 'R'}`;
    const { numbers, scales } = columnsOf(floats[at]!, tensor!.dims, pairSafe);
    const shape = [directions, rows];
    quantizers.push(
      graph.addConstant(`${name}/scale`, floatTensor(shape, scales)),
      graph.addConstant(`${name}/zero`, int8Tensor(shape, new Int8Array(scales.length))),
    );
    return graph.addConstant(`${name}/int8`, int8Tensor([directions, columns, rows], numbers));
  });
  const [x, , , ...others] = node.inputs;
  const given = Array.from({ length: 5 }, (_, at) => others[at] ?? '');
  const attributes = [...node.attributes.values()].filter(({ name }) => name !== 'layout');
  graph.remove(node);
  graph.add({
    ...{ opType: 'DynamicQuantizeLSTM', domain: MICROSOFT, name: `${node.name}/integer`, attributes },
    ...{ inputs: [x!, ...weights, ...given, ...quantizers], outputs: node.outputs },
  });
  return { precision: 'dynamic int8' };
}

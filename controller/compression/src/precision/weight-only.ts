/** Weights in 8 or 4 bits, activations in float: for models whose time is the reading of their weights. */
import { importDomain, MICROSOFT } from '../onnx/domains.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor, int8Tensor, Type, uint8Tensor } from '../onnx/tensor.js';
import { quantizeWeights } from '../quantize/weights.js';
import { quantizeBlocks } from './blocks.js';
import { finishProduct, type Matrix, matrixOf, productOf } from './matrices.js';
import { type Outcome, rewriteEach, type Transformation } from './transform.js';

/** Weights that share a scale; the runtime takes 16 to 256, powers of two.   [ONNX Runtime, MatMulNBits] */
const BLOCK = 32;
/** Products of 8-bit numbers: the runtime rounds activations block by block on the way.   [MatMulNBits, accuracy_level] */
const ACCURACY_INT8 = 4;
/** Rows of a table that a Gather reads, at least, to be stored in 8 bits. */
const ROWS_MIN = 64;

const NONE = 'No MatMul, Gemm or Gather has float weights of a size worth it';

/** MatMul and Gemm become MatMulNBits; tables of Gather are kept in 8 bits. Pure. */
export const weightOnly =
  (bits: 4 | 8): Transformation =>
  (graph) =>
    rewriteEach(graph, `w${bits}`, (copy, node) => rewrite(copy, node, bits), NONE);

function rewrite(graph: Graph, node: Node, bits: 4 | 8): Outcome | null {
  const matrix = matrixOf(graph, node);
  if (matrix && 'why' in matrix) return matrix;
  if (matrix) {
    inBlocks(graph, node, matrix, bits);
    return { precision: `w${bits}` };
  }
  if (node.opType === 'Gather' && node.domain === '') return gatherRows(graph, node);
  const weights = graph.constantOf(node, 1);
  if (!/^(Conv|ConvTranspose|LSTM|GRU|RNN)$/.test(node.opType) || weights?.type !== Type.FLOAT) return null;
  return { why: `ONNX Runtime has no ${node.opType} that reads packed weights` };
}

function inBlocks(graph: Graph, node: Node, matrix: Matrix, bits: 4 | 8): void {
  importDomain(graph, MICROSOFT);
  const { k, n, bias } = matrix;
  const { packed, scales, blocks } = quantizeBlocks(matrix, bits, BLOCK);
  const weights = graph.addConstant(`${node.name}/w${bits}`, uint8Tensor([n, blocks, (BLOCK * bits) / 8], packed));
  const scale = graph.addConstant(`${node.name}/scales`, floatTensor([n * blocks], scales));
  const product = productOf(graph, node, bias);
  const [input] = node.inputs;
  finishProduct(graph, node, product, bias);
  graph.add({
    ...{ opType: 'MatMulNBits', domain: MICROSOFT, name: `${node.name}/packed` },
    ...{ inputs: [input!, weights, scale], outputs: [product] },
    attributes: [
      ...[intAttribute('K', k), intAttribute('N', n), intAttribute('bits', bits)],
      ...[intAttribute('block_size', BLOCK), intAttribute('accuracy_level', ACCURACY_INT8)],
    ],
  });
}

/** A table whose rows are looked up: int8 with a scale a row, and only the rows that are read become float. */
function gatherRows(graph: Graph, node: Node): Outcome | null {
  const table = graph.constantOf(node, 0);
  const values = table && floatsOf(table);
  if (!values) return null;
  const [rows, width] = table.dims;
  if (table.dims.length !== 2 || (node.attributes.get('axis')?.i ?? 0n) !== 0n)
    return { why: 'it does not look up rows' };
  if (rows! < ROWS_MIN) return { why: `its table has only ${rows} rows` };
  const { values: numbers, scales } = quantizeWeights({
    ...{ weights: values, channels: rows!, inner: width!, bias: null },
    ...{ inputScale: 1, perChannel: true, pairSafe: false },
  });
  const [indices, output] = [node.inputs[1]!, node.outputs[0]!];
  graph.remove(node);
  const gather = (data: string, name: string): string =>
    graph.add({ opType: 'Gather', inputs: [data, indices], outputs: [graph.freshName(`${output}/${name}`)] })
      .outputs[0]!;
  const found = gather(graph.addConstant(`${node.name}/int8`, int8Tensor([rows!, width!], numbers)), 'rows');
  const scale = gather(graph.addConstant(`${node.name}/scale`, floatTensor([rows!, 1], scales)), 'scales');
  const [float] = graph.add({
    ...{ opType: 'Cast', inputs: [found], outputs: [graph.freshName(`${output}/float`)] },
    attributes: [intAttribute('to', Type.FLOAT)],
  }).outputs;
  graph.add({ opType: 'Mul', inputs: [float!, scale], outputs: [output], name: `${node.name}/rows` });
  return { precision: 'w8' };
}

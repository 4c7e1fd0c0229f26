/** Tiny networks whose time is their weights: an MLP, an attention block, recurrent ones. */
import type { Graph } from '@espalier/compression/onnx/graph';
import { floats, ints, noise, tinyGraph } from '../support/tiny.ts';

/** Two Gemm, one of them transposed, with 10 outputs. */
export const mlp = (): Graph =>
  tinyGraph({
    inputs: { x: ['N', 64] },
    outputs: ['y'],
    constants: {
      w1: noise([64, 96], 1, 0.2),
      b1: noise([96], 2, 0.1),
      w2: noise([64, 96], 3, 0.2),
      b2: noise([64], 4, 0.1),
      w3: noise([64, 10], 5, 0.3),
    },
    nodes: [
      ['Gemm', ['x', 'w1', 'b1'], ['a']],
      ['Relu', ['a'], ['ra']],
      ['Gemm', ['ra', 'w2', 'b2'], ['b'], { transB: 1 }],
      ['Relu', ['b'], ['rb']],
      ['MatMul', ['rb', 'w3'], ['y']],
    ],
  });

/** One head of self-attention over 8 tokens of 64, with a residual sum and layer normalization. */
export const attention = (): Graph =>
  tinyGraph({
    inputs: { x: ['N', 8, 64] },
    outputs: ['y'],
    constants: {
      ...{ wq: noise([64, 64], 1, 0.2), wk: noise([64, 64], 2, 0.2), wv: noise([64, 64], 3, 0.2) },
      ...{ wo: noise([64, 64], 4, 0.2), scale: floats([], [0.125]) },
      ...{ g: floats([64], new Float32Array(64).fill(1)), b: noise([64], 6, 0.1), wf: noise([64, 16], 7, 0.3) },
    },
    nodes: [
      ['MatMul', ['x', 'wq'], ['q']],
      ['MatMul', ['x', 'wk'], ['k']],
      ['MatMul', ['x', 'wv'], ['v']],
      ['Transpose', ['k'], ['kt'], { perm: [0, 2, 1] }],
      ['MatMul', ['q', 'kt'], ['s']],
      ['Mul', ['s', 'scale'], ['sc']],
      ['Softmax', ['sc'], ['p'], { axis: -1 }],
      ['MatMul', ['p', 'v'], ['o']],
      ['MatMul', ['o', 'wo'], ['oo']],
      ['Add', ['x', 'oo'], ['r']],
      ['LayerNormalization', ['r', 'g', 'b'], ['n'], { axis: -1 }],
      ['MatMul', ['n', 'wf'], ['y']],
    ],
  });

/** A recurrent network over 6 steps of 32, in both directions. */
export const recurrent = (op: 'LSTM' | 'GRU'): Graph => {
  const gates = op === 'LSTM' ? 4 : 3;
  return tinyGraph({
    inputs: { x: [6, 'N', 32] },
    outputs: ['y'],
    constants: {
      w: noise([2, gates * 24, 32], 1, 0.3),
      r: noise([2, gates * 24, 24], 2, 0.3),
      b: noise([2, 2 * gates * 24], 3, 0.1),
    },
    nodes: [[op, ['x', 'w', 'r', 'b'], ['y'], { hidden_size: 24, direction: 'bidirectional' }]],
  });
};

/** A table of 200 rows that a first layer reads; the indices are constant, since tiny models take floats only. */
export const embedding = (): Graph =>
  tinyGraph({
    inputs: { x: ['N', 32] },
    outputs: ['y'],
    constants: { table: noise([200, 32], 1), rows: ints([3, 77, 199]), w: noise([32, 48], 2, 0.3) },
    nodes: [
      ['MatMul', ['x', 'w'], ['h']],
      ['Gather', ['table', 'rows'], ['e'], { axis: 0 }],
      ['MatMul', ['e', 'w'], ['f']],
      ['ReduceMean', ['f'], ['m'], { axes: [0], keepdims: 0 }],
      ['Add', ['h', 'm'], ['y']],
    ],
  });

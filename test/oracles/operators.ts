/** Each operator that the NPU profiles name, alone in a small network: does the compiler take it in int8? */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { HardwareProfile } from '@espalier/compression';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { fixBatch } from '@espalier/compression/onnx/fix-batch';
import { rewriting, runPasses } from '@espalier/compression/passes/index';
import { lowerToTflite } from '@espalier/compression/tflite/lower';
import { writeTflite } from '@espalier/compression/tflite/write';
import { quantizeTiny } from '../../controller/compression/test/support/quantized.ts';
import { ints, noise, type TinyModel, tinyGraph } from '../../controller/compression/test/support/tiny.ts';

type Nodes = TinyModel['nodes'];

/** From `c`, 16 channels of 8x8, to `z`. */
const OPERATORS: Readonly<Record<string, Nodes>> = {
  Conv: [['Conv', ['c', 'w1'], ['z']]],
  DepthwiseConv: [['Conv', ['c', 'wd'], ['z'], { group: 16, pads: [1, 1, 1, 1] }]],
  Add: [['Add', ['c', 'scale'], ['z']]],
  Mul: [['Mul', ['c', 'scale'], ['z']]],
  HardSwish: [['HardSwish', ['c'], ['z']]],
  Sigmoid: [
    ['Sigmoid', ['c'], ['s']],
    ['Mul', ['c', 's'], ['z']],
  ],
  Concat: [
    ['Conv', ['c', 'w1'], ['a']],
    ['Concat', ['a', 'c'], ['both'], { axis: 1 }],
    ['Conv', ['both', 'w2'], ['z']],
  ],
  Pad: [
    ['Pad', ['c', 'by'], ['p']],
    ['Conv', ['p', 'w1'], ['z']],
  ],
  MaxPool: [
    ['Relu', ['c'], ['r']],
    ['MaxPool', ['r'], ['z'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ],
  AveragePool: [['AveragePool', ['c'], ['z'], { kernel_shape: [2, 2], strides: [2, 2] }]],
  ReduceMean: [['ReduceMean', ['c'], ['z'], { axes: [2, 3] }]],
  Softmax: [
    ['Conv', ['c', 'w1'], ['z']],
    ['Softmax', ['g'], ['y'], { axis: 1 }],
  ],
};

export const operatorNames = Object.keys(OPERATORS);

/** Writes model.onnx, and model.tflite where the profile has it, for one operator. */
export async function buildOperator(name: string, profile: HardwareProfile, folder: string): Promise<void> {
  const own = OPERATORS[name]!;
  const last = own.some(([, , outputs]) => outputs[0] === 'y');
  const graph = tinyGraph({
    inputs: { x: ['N', 3, 16, 16] },
    outputs: ['y'],
    constants: {
      ...{ w0: noise([16, 3, 3, 3], 1), w1: noise([16, 16, 1, 1], 2), w2: noise([16, 32, 1, 1], 3) },
      ...{ wd: noise([16, 1, 3, 3], 4), scale: noise([1, 16, 1, 1], 5), fc: noise([16, 10], 6) },
      by: ints([0, 0, 1, 0, 0, 0, 0, 1]),
    },
    nodes: [
      ['Conv', ['x', 'w0'], ['c'], { pads: [1, 1, 1, 1], strides: [2, 2] }],
      ...own.filter(([op]) => op !== 'Softmax'),
      ['GlobalAveragePool', ['z'], ['pool']],
      ['Flatten', ['pool'], ['flat']],
      ['Gemm', ['flat', 'fc'], [last ? 'g' : 'y']],
      ...own.filter(([op]) => op === 'Softmax'),
    ],
  });
  runPasses(graph, rewriting(profile));
  const samples = Array.from({ length: 16 }, (_, at) => ({ x: noise([1, 3, 16, 16], 100 + at) }));
  const { graph: quantized } = await quantizeTiny(graph, samples, profile.id);
  const fixed = fixBatch(quantized, 1);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'model.onnx'), encodeModel(fixed));
  if (profile.outputs.includes('tflite')) {
    writeFileSync(path.join(folder, 'model.tflite'), writeTflite(lowerToTflite(fixed, name)));
  }
}

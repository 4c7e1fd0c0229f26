import * as activations from './activations.js';
import { binaryActivations, binaryWeights } from './binary.js';
import { conv, convTranspose } from './conv.js';
import * as elementwise from './elementwise.js';
import { fakeQuantActivations, fakeQuantWeights } from './fake-quant.js';
import { gemm, matMul } from './linear.js';
import { batchNormalization, instanceNormalization, layerNormalization } from './norm.js';
import { averagePool, globalAveragePool, maxPool, reduceMean } from './pool.js';
import type { Rule } from './rule.js';
import * as shape from './shape.js';

/** The operators that can be trained. */
export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    ...{ Conv: conv, ConvTranspose: convTranspose, Gemm: gemm, MatMul: matMul },
    ...{ FakeQuantWeights: fakeQuantWeights, FakeQuantActivations: fakeQuantActivations },
    ...{ BinaryWeights: binaryWeights, BinaryActivations: binaryActivations },
    BatchNormalization: batchNormalization,
    ...{ InstanceNormalization: instanceNormalization, LayerNormalization: layerNormalization },
    ...{ Relu: activations.relu, LeakyRelu: activations.leakyRelu, PRelu: activations.pRelu, Clip: activations.clip },
    ...{ Sigmoid: activations.sigmoid, HardSigmoid: activations.hardSigmoid, HardSwish: activations.hardSwish },
    ...{ Tanh: activations.tanh, Erf: activations.erf, Gelu: activations.gelu, Softmax: activations.softmax },
    ...{ Add: elementwise.add, Sub: elementwise.sub, Mul: elementwise.mul, Div: elementwise.div },
    Sqrt: elementwise.sqrt,
    ...{ AveragePool: averagePool, GlobalAveragePool: globalAveragePool, MaxPool: maxPool, ReduceMean: reduceMean },
    ...{ Flatten: shape.flatten, Reshape: shape.reshape, Squeeze: shape.squeeze, Unsqueeze: shape.unsqueeze },
    ...{ Transpose: shape.transpose, Concat: shape.concat, Split: shape.split, Slice: shape.slice },
    ...{ Pad: shape.pad, Gather: shape.gather, Identity: shape.identity, Dropout: shape.identity },
  }),
);

/**
 * What calibration wants to know of a value is computed by the runtime, beside the network, and only that leaves it: a
 * value that a session returns stays in memory to the end of the run, all others are overwritten.
 */
import type { Tensor } from 'onnxruntime-node';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intsAttribute } from '../onnx/node.js';
import { elementCount, int64Tensor } from '../onnx/tensor.js';
import type { ChannelStats } from './channel-stats.js';
import { countedStep, type Observer } from './observer.js';

/** Outputs added to a graph, and who reads them after each run. */
export interface Tap {
  readonly outputs: readonly string[];
  /** Bytes of these outputs for one batch. */
  readonly bytes: number;
  see(found: readonly Tensor[]): void;
}

/** Axes are an input of the reductions from here on.   [ONNX ReduceMax-18] */
const AXES_INPUT_OPSET = 18;
const FLOAT_BYTES = 4;

const floatsIn = (tensor: Tensor | undefined): Float32Array => (tensor?.data ?? new Float32Array()) as Float32Array;

/** Taps are read from copies of a graph: adds one to the graph given, and tells what it returns. */
export type TapMaker = (graph: Graph, value: string, dims: readonly number[]) => Tap;

/** The value itself. */
const wholeOf = (graph: Graph, value: string): string =>
  graph.producer(value)
    ? value
    : graph.add({ opType: 'Identity', inputs: [value], outputs: [graph.freshName(`${value}/whole`)] }).outputs[0]!;

/** All of a value, into its figures. */
export const wholeTap =
  (statsOf: (value: string) => ChannelStats): TapMaker =>
  (graph, value, dims) => ({
    outputs: [wholeOf(graph, value)],
    bytes: FLOAT_BYTES * elementCount(dims),
    see: ([tensor]) => statsOf(value).see(floatsIn(tensor), tensor?.dims ?? dims),
  });

/** Extremes and moments of each channel of [N, C, ...]; a value without further axes is returned whole. */
export const channelTap =
  (statsOf: (value: string) => ChannelStats): TapMaker =>
  (graph, value, dims) => {
    const inner = elementCount(dims.slice(2));
    if (dims.length < 3 || inner < 2) return wholeTap(statsOf)(graph, value, dims);
    const axes = dims.slice(2).map((_, at) => at + 2);
    const byInput = graph.opset() >= AXES_INPUT_OPSET;
    const given = byInput ? [graph.addConstant(`${value}/axes`, int64Tensor([axes.length], axes))] : [];
    const attributes = [intAttribute('keepdims', 0), ...(byInput ? [] : [intsAttribute('axes', axes)])];
    const outputs = ['ReduceMin', 'ReduceMax', 'ReduceMean', 'ReduceSumSquare'].map((opType) => {
      const output = graph.freshName(`${value}/${opType}`);
      graph.add({ opType, inputs: [value, ...given], outputs: [output], attributes });
      return output;
    });
    return {
      outputs,
      bytes: FLOAT_BYTES * outputs.length * elementCount(dims.slice(0, 2)),
      see: (found) => {
        const [min, max, mean, squares] = outputs.map((_, at) => floatsIn(found[at]));
        statsOf(value).merge({ min: min!, max: max!, mean: mean!, squares: squares! }, dims[1]!, inner);
      },
    };
  };

/** The values of a tensor that its histogram counts. */
export const histogramTap =
  (observerOf: (value: string) => Observer): TapMaker =>
  (graph, value, dims) => {
    const elements = elementCount(dims);
    const step = countedStep(elements);
    const see = ([tensor]: readonly Tensor[]): void => observerOf(value).count(floatsIn(tensor));
    if (step === 1) return { outputs: [wholeOf(graph, value)], bytes: FLOAT_BYTES * elements, see };
    const [flat, counted] = [graph.freshName(`${value}/flat`), graph.freshName(`${value}/counted`)];
    const numbers = (name: string, number: number): string =>
      graph.addConstant(`${value}/${name}`, int64Tensor([1], [number]));
    graph.add({ opType: 'Reshape', inputs: [value, numbers('shape', -1)], outputs: [flat] });
    const range = [
      numbers('from', 0),
      numbers('to', Number.MAX_SAFE_INTEGER),
      numbers('axis', 0),
      numbers('step', step),
    ];
    graph.add({ opType: 'Slice', inputs: [flat, ...range], outputs: [counted] });
    return { outputs: [counted], bytes: (FLOAT_BYTES * elements) / step, see };
  };

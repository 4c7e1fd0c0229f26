/** The gradients of a small network held against float64: by central differences, and one layout against the other. */
import { randomFrom } from '@espalier/compression/data/feeds';
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { Session } from '@espalier/compression/runtime/session';
import { buildTraining, FED, type Objective } from '@espalier/compression/train/build';
import { initialVector, type Parameter } from '@espalier/compression/train/parameters';
import { Tensor } from 'onnxruntime-node';
import { tinyGraph } from '../support/tiny.ts';
import { BATCH, CLASSES, type Net } from './nets.ts';
import { evaluate, sizeOf, type Value } from './reference.ts';

const LABELS_ONLY: Objective = { labels: 1, distillation: 0, hints: [] };
const STEP = 1e-5;

const random = randomFrom(11);
const draw = (size: number): Float32Array<ArrayBuffer> => Float32Array.from({ length: size }, () => 2 * random() - 1);

/** Cross entropy of a network's output for the targets, in float64. */
function lossOf(graph: Graph, input: Value, target: Float32Array, moved: ReadonlyMap<string, Value>): number {
  const { data } = evaluate(graph, input, moved).get(graph.outputs[0]!.name)!;
  let loss = 0;
  for (let row = 0; row < BATCH; row++) {
    const logits = data.slice(row * CLASSES, (row + 1) * CLASSES);
    const most = Math.max(...logits);
    const log = most + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0));
    for (const [at, z] of logits.entries()) loss -= (target[row * CLASSES + at]! * (z - log)) / BATCH;
  }
  return loss;
}

/** The derivative of the loss along a direction of one parameter, by central differences. */
function slopeAlong(
  loss: (moved: ReadonlyMap<string, Value>) => number,
  parameter: Parameter,
  direction: Float64Array,
): number {
  const at = (step: number): number => {
    const data = Float64Array.from(parameter.initial, (value, place) => value + step * direction[place]!);
    return loss(new Map([[parameter.name, { dims: parameter.dims, data }]]));
  };
  return (at(STEP) - at(-STEP)) / (2 * STEP);
}

const lengthOf = (vector: ArrayLike<number>): number =>
  Math.sqrt(Array.from(vector).reduce((sum, x) => sum + x * x, 0));

/** The worst error of any parameter, along its own gradient and along a random direction. */
function worstError(
  parameters: readonly Parameter[],
  gradients: Float32Array,
  loss: (moved: ReadonlyMap<string, Value>) => number,
): number {
  let worst = 0;
  const whole = lengthOf(gradients);
  for (const parameter of parameters) {
    const own = Float64Array.from(gradients.subarray(parameter.offset, parameter.offset + parameter.length));
    const length = lengthOf(own);
    const along = length > 1e-6 * whole ? own.map((value) => value / length) : own.map(() => 1 / Math.sqrt(own.length));
    const anywhere = own.map(() => (random() < 0.5 ? -1 : 1) / Math.sqrt(own.length));
    for (const direction of [along, anywhere]) {
      const given = own.reduce((sum, value, at) => sum + value * direction[at]!, 0);
      const wanted = slopeAlong(loss, parameter, direction);
      worst = Math.max(worst, Math.abs(given - wanted) / Math.max(length, 1e-3 * whole));
    }
  }
  return worst;
}

/** Loss and gradients of a network by its training graph, for one size of blocks. */
async function train(graph: Graph, blockSize: number, x: Tensor, target: Float32Array) {
  const spec = { batch: BATCH, block: blockSize, objective: LABELS_ONLY };
  const training = buildTraining(cloneGraph(graph), spec, () => []);
  const session = await Session.open(encodeModel(training.graph), 'the training graph');
  const vector = initialVector(training.parameters);
  const { loss, gradients } = await session.floats({
    x,
    [FED.target]: new Tensor('float32', target, [BATCH, CLASSES]),
    [FED.parameters]: new Tensor('float32', vector, [vector.length]),
  });
  await session.dispose();
  return { parameters: training.parameters, loss: loss!.data[0]!, gradients: gradients!.data };
}

export interface GradientErrors {
  /** Of the loss itself. */
  readonly loss: number;
  /** Worst of any parameter, against float64, relative to the length of its gradient. */
  readonly gradient: number;
  /** Between the blocked and the plain layout, relative to the length of the whole gradient. */
  readonly layout: number;
}

export async function gradientErrors({ input, model }: Net, block: number): Promise<GradientErrors> {
  const graph = tinyGraph(model);
  const data = draw(BATCH * sizeOf(input));
  const x = new Tensor('float32', data, [BATCH, ...input]);
  const target = new Float32Array(BATCH * CLASSES);
  for (let row = 0; row < BATCH; row++) target[row * CLASSES + ((row * 7) % CLASSES)] = 1;
  const value: Value = { dims: x.dims, data: Float64Array.from(data) };
  const exact = (moved: ReadonlyMap<string, Value>): number => lossOf(graph, value, target, moved);
  const { parameters, loss, gradients } = await train(graph, block, x, target);
  const plain = (await train(graph, 1, x, target)).gradients;
  return {
    loss: Math.abs(loss - exact(new Map())),
    gradient: worstError(parameters, gradients, exact),
    layout: lengthOf(plain.map((one, at) => one - gradients[at]!)) / lengthOf(gradients),
  };
}

/**
 * A model made into its training graph: forward pass, loss, and the gradient of every parameter, as one ONNX graph of
 * static shapes. Parameters come in and gradients go out as one flat vector each; the optimizer stands outside.
 */
import { GradientMissing, NothingTrainable } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { declaredShape } from '../onnx/shapes/shape.js';
import { elementCount } from '../onnx/tensor.js';
import { graphOf } from './graph-of.js';
import { attentionTransfer, crossEntropy, distillation, featureDistance, type Term } from './objective.js';
import { findParameters, type Parameter, place } from './parameters.js';
import { type Dims, type Ref, Tape } from './tape.js';
import { ancestorsOf, backward, Forward } from './walk.js';

/** A value inside the network that is held against one of the teacher. */
export interface Hint {
  readonly kind: 'feature' | 'attention';
  readonly student: string;
  /** Shape of the teacher's value, [N, D, H, W]. */
  readonly teacherDims: Dims;
  readonly weight: number;
}

export interface Objective {
  /** Weight of the cross entropy against the targets. */
  readonly labels: number;
  /** Weight of the distillation from the teacher's logits; 0 without a teacher. */
  readonly distillation: number;
  readonly hints: readonly Hint[];
  /** Logits inside the network that learn the same as its output: early exits. */
  readonly exits?: readonly string[];
}

export interface TrainingSpec {
  readonly batch: number;
  /** From `probeBlock`. */
  readonly block: number;
  readonly objective: Objective;
  /** Weighted operators see half precision, and the loss is scaled by an input. */
  readonly isHalf?: boolean;
  /** Parameters that stay as they are. */
  readonly isFrozen?: (parameter: string) => boolean;
}

/** Names of what the training graph takes beside the model's own input. */
export const FED = {
  ...{ target: 'target', parameters: 'parameters', teacher: 'teacher', temperature: 'temperature' },
  lossScale: 'lossScale',
};
export const hintName = (index: number): string => `hint_${index}`;

export interface TrainingGraph {
  readonly graph: Graph;
  readonly input: string;
  readonly inputDims: Dims;
  readonly classes: number;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
}

/** The value that holds the logits: the output, or what a last Softmax reads. */
export function logitsOf(graph: Graph): string {
  const output = graph.outputs[0]!.name;
  const maker = graph.producer(output);
  return maker?.opType === 'Softmax' ? maker.inputs[0]! : output;
}

/** Cuts a flat vector of parameters into values of their shapes. */
function cut(tape: Tape, flat: Ref, parameters: readonly Parameter[]): Ref[] {
  const lengths = parameters.map(({ length }) => length);
  const parts = tape.emitAll(
    'Split',
    [flat, tape.ints(lengths)],
    lengths.map((length) => [length]),
    { axis: 0 },
  );
  return parts.map((part, at) => (parameters[at]!.dims.length === 1 ? part : tape.reshape(part, parameters[at]!.dims)));
}

const adapterName = (hint: Hint): string => `adapter of ${hint.student}`;

/** A learnt 1x1 convolution for every feature hint, at first passing on the channels that both have. */
function adaptersOf(hints: readonly Hint[], dimsOf: (value: string) => Dims): Omit<Parameter, 'offset'>[] {
  return hints
    .filter(({ kind }) => kind === 'feature')
    .map((hint) => {
      const [theirs, ours] = [hint.teacherDims[1]!, dimsOf(hint.student)[1]!];
      const initial = new Float32Array(theirs * ours);
      for (let channel = 0; channel < Math.min(theirs, ours); channel++) initial[channel * ours + channel] = 1;
      return { name: adapterName(hint), dims: [theirs, ours, 1, 1], length: initial.length, initial };
    });
}

/**
 * @param shapes the shape of every value for any batch size, as for hints
 * @throws ESP_GRADIENT_MISSING, ESP_NOTHING_TRAINABLE
 */
export function buildTraining(graph: Graph, spec: TrainingSpec, dimsOf: (value: string) => Dims): TrainingGraph {
  const { batch, block, objective } = spec;
  const tape = new Tape(block);
  const given = graph.inputs[0]!;
  const declared = declaredShape(given) ?? [];
  const inputDims = [batch, ...declared.slice(1).map((size) => size ?? 1)];
  const own = findParameters(graph).filter(({ name }) => !spec.isFrozen?.(name));
  const parameters = place([...own, ...adaptersOf(objective.hints, dimsOf)]);
  const total = parameters.reduce((sum, { length }) => sum + length, 0);
  if (own.length === 0) throw NothingTrainable({ model: graph.shell.graph?.name ?? 'the model' });
  const input = tape.declare(given.name, inputDims);
  const flat = tape.declare(FED.parameters, [total]);
  const forward = new Forward(tape, graph, { declared: declared[0] ?? null, trained: batch }, spec.isHalf);
  forward.values.set(given.name, input);
  for (const [at, part] of cut(tape, flat, parameters).entries()) {
    forward.values.set(parameters[at]!.name, part);
    forward.wanted.add(part);
  }
  const needed = ancestorsOf(graph, [
    ...[logitsOf(graph), ...(objective.exits ?? [])],
    ...objective.hints.map(({ student }) => student),
  ]);
  for (const node of graph.nodes) if (needed.has(node)) forward.visit(node);
  const logits = forward.valueOf(logitsOf(graph));
  if (tape.shape(logits).length !== 2) {
    const node = graph.producer(logitsOf(graph))!;
    throw GradientMissing({ node: node.name, op: node.opType, why: 'the output is not [samples, classes]' });
  }
  const { terms, fed } = writeObjective(tape, forward, logits, objective);
  if (spec.isHalf) fed.push(tape.declare(FED.lossScale, []));
  const gradients = backward(tape, forward, spec.isHalf ? terms.map((term) => scaledBack(tape, term)) : terms);
  const statistics = place(runningStatistics(graph, forward));
  const outputs: Record<string, Ref> = {
    loss: terms.map(({ value }) => value).reduce((sum, value) => tape.add(sum, value)),
    logits,
    gradients: flatten(
      tape,
      parameters.map(({ name, dims }) => gradients.get(forward.valueOf(name)) ?? tape.filled(dims, 0)),
    ),
  };
  if (statistics.length > 0) {
    outputs.statistics = flatten(
      tape,
      statistics.map(({ name }) => forward.statistics.get(name)!),
    );
  }
  const model = graphOf(tape, [input, flat, ...fed], outputs);
  return { graph: model, input, inputDims, classes: tape.shape(logits)[1]!, parameters, statistics };
}

/** The gradients of a term times the loss scale; its value stays. */
const scaledBack = (tape: Tape, { value, gradients }: Term): Term => ({
  value,
  gradients: new Map([...gradients].map(([at, gradient]) => [at, tape.mul(gradient, FED.lossScale)])),
});

/** The terms of the objective, and the inputs that they read beside the model's. */
function writeObjective(
  tape: Tape,
  forward: Forward,
  logits: Ref,
  objective: Objective,
): { terms: Term[]; fed: Ref[] } {
  const terms: Term[] = [];
  const fed: Ref[] = [];
  const feed = (name: string, dims: Dims): Ref => {
    fed.push(tape.declare(name, dims));
    return name;
  };
  const dims = tape.shape(logits);
  const learning = [logits, ...(objective.exits ?? []).map((exit) => forward.valueOf(exit))];
  if (objective.labels > 0) {
    const target = feed(FED.target, dims);
    for (const own of learning) terms.push(crossEntropy(tape, own, target, objective.labels));
  }
  if (objective.distillation > 0) {
    const [teacher, temperature] = [feed(FED.teacher, dims), feed(FED.temperature, [])];
    for (const own of learning) terms.push(distillation(tape, own, teacher, temperature, objective.distillation));
  }
  for (const [at, hint] of objective.hints.entries()) {
    const student = forward.valueOf(hint.student);
    const teacher = feed(hintName(at), [dims[0]!, ...hint.teacherDims.slice(1)]);
    const adapter = forward.values.get(adapterName(hint));
    terms.push(
      adapter
        ? featureDistance(tape, student, teacher, adapter, hint.weight)
        : attentionTransfer(tape, student, teacher, hint.weight),
    );
  }
  return { terms, fed };
}

function flatten(tape: Tape, values: readonly Ref[]): Ref {
  const parts = values.map((value) => {
    const dims = tape.shape(value);
    return dims.length === 1 ? value : tape.reshape(value, [elementCount(dims)]);
  });
  const total = parts.reduce((sum, part) => sum + tape.shape(part)[0]!, 0);
  return tape.emit('Concat', parts, [total], { axis: 0 });
}

function runningStatistics(graph: Graph, { statistics }: Forward): Omit<Parameter, 'offset'>[] {
  return [...statistics.keys()].map((name) => {
    const tensor = graph.constants.get(name)!;
    const initial = new Float32Array(new Uint8Array(tensor.bytes).buffer);
    return { name, dims: tensor.dims, length: initial.length, initial };
  });
}

/** Updates of a flat vector of parameters, in place. All vectors are as long as the parameters. */
import type { Parameter } from './parameters.js';

export interface OptimizerSpec {
  readonly kind: 'sgd' | 'adamw';
  /** Decay of the first moment: momentum of SGD, β1 of AdamW. */
  readonly momentum: number;
  /** SGD looks ahead along its momentum [Nesterov 1983; Sutskever et al. 2013]. */
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** Largest Euclidean length of the gradient; a longer one is scaled down [Pascanu et al. 2013]. 0 for no limit. */
  readonly clipNorm: number;
}

/** β2 and ε of AdamW [Loshchilov and Hutter 2019]. */
const SECOND_DECAY = 0.999;
const EPSILON = 1e-8;

export const lengthOf = (vector: Float32Array): number => {
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += vector[at]! * vector[at]!;
  return Math.sqrt(sum);
};

/** What an optimizer remembers between steps; a checkpoint holds it. */
export interface OptimizerState {
  steps: number;
  readonly first: Float32Array;
  /** Second moment; empty for SGD. */
  readonly second: Float32Array;
}

/** Decay for the weights that multiply; biases, scales and shifts, which have one axis, go without. */
export function decayOf(parameters: readonly Parameter[], weightDecay: number, count: number): Float32Array {
  const decay = new Float32Array(count);
  for (const { dims, offset, length } of parameters) {
    if (dims.length > 1) decay.fill(weightDecay, offset, offset + length);
  }
  return decay;
}

export class Optimizer {
  readonly state: OptimizerState;
  private readonly decay: Float32Array;

  constructor(
    private readonly spec: OptimizerSpec,
    parameters: readonly Parameter[],
    count: number,
  ) {
    this.decay = decayOf(parameters, spec.weightDecay, count);
    const second = new Float32Array(spec.kind === 'adamw' ? count : 0);
    this.state = { steps: 0, first: new Float32Array(count), second };
  }

  restore({ steps, first, second }: OptimizerState): void {
    this.state.steps = steps;
    this.state.first.set(first);
    this.state.second.set(second);
  }

  /** One step down the gradient. @returns the gradient's length before it was clipped */
  step(values: Float32Array, gradients: Float32Array, rate: number): number {
    const length = lengthOf(gradients);
    const { clipNorm, kind } = this.spec;
    const factor = clipNorm > 0 && length > clipNorm ? clipNorm / length : 1;
    this.state.steps++;
    if (kind === 'adamw') this.adamw(values, gradients, rate, factor);
    else this.sgd(values, gradients, rate, factor);
    return length;
  }

  /** v = m v + g;  w -= rate (g + m v) with Nesterov, rate v without; the decay is part of g. */
  private sgd(values: Float32Array, gradients: Float32Array, rate: number, factor: number): void {
    const { decay, spec, state } = this;
    const { momentum } = spec;
    const { first } = state;
    const [ofGradient, ofMomentum] = spec.nesterov ? [rate, rate * momentum] : [0, rate];
    for (let at = 0; at < values.length; at++) {
      const gradient = gradients[at]! * factor + decay[at]! * values[at]!;
      const velocity = momentum * first[at]! + gradient;
      first[at] = velocity;
      values[at]! -= ofGradient * gradient + ofMomentum * velocity;
    }
  }

  /** The decay acts on the weights themselves, apart from the moments. */
  private adamw(values: Float32Array, gradients: Float32Array, rate: number, factor: number): void {
    const { decay, spec, state } = this;
    const { first, second, steps } = state;
    const [b1, b2] = [spec.momentum, SECOND_DECAY];
    const [unbias1, unbias2] = [1 - b1 ** steps, 1 - b2 ** steps];
    for (let at = 0; at < values.length; at++) {
      const gradient = gradients[at]! * factor;
      first[at] = b1 * first[at]! + (1 - b1) * gradient;
      second[at] = b2 * second[at]! + (1 - b2) * gradient * gradient;
      const step = first[at]! / unbias1 / (Math.sqrt(second[at]! / unbias2) + EPSILON);
      values[at]! -= rate * (step + decay[at]! * values[at]!);
    }
  }
}

/** average = keep average + (1 - keep) values, in place. */
export function average(into: Float32Array, values: Float32Array, keep: number): void {
  for (let at = 0; at < into.length; at++) into[at] = keep * into[at]! + (1 - keep) * values[at]!;
}

/**
 * Mixed precision: weighted operators see and give half precision, the weights that learn stay float32, and the loss is
 * scaled so that small gradients survive [Micikevicius et al. 2018]. On a processor this is a simulation: values are rounded
 * to float16, the arithmetic stays float32.
 */
import { Type } from '../onnx/tensor.js';
import type { Rule } from './rules/rule.js';
import type { Ref, Tape } from './tape.js';

/** Those that tensor cores compute; norms, sums and the loss keep their range. */
const IN_HALF: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

function rounded(tape: Tape, value: Ref): Ref {
  const dims = tape.shape(value);
  const cast = (x: Ref, to: number): Ref => tape.emit('Cast', [x], dims, { to });
  return tape.once(`half ${value}`, () => cast(cast(value, Type.FLOAT16), Type.FLOAT));
}

/** A rule whose inputs, outputs and gradients are all rounded; other operators are left as they are. */
export function inHalf(opType: string, rule: Rule): Rule {
  if (!IN_HALF.has(opType)) return rule;
  return (context) => {
    const { tape, inputs } = context;
    const round = <R extends Ref | null>(value: R): R => (value ? (rounded(tape, value) as R) : value);
    const { outputs, backward } = rule({ ...context, inputs: inputs.map(round) });
    return { outputs: outputs.map(round), backward: (given) => backward(given.map(round)).map(round) };
  };
}

/** Steps without an overflow after which the scale is doubled again, as in the paper's released implementations. */
const GROW_AFTER = 2000;

export interface LossScaleState {
  readonly value: number;
  /** Steps in a row without an overflow. */
  readonly good: number;
}

/** The factor on the loss: halved when a gradient overflows, whose step is left out; doubled after a long calm. */
export class LossScale {
  constructor(public state: LossScaleState) {}

  /** Takes the scale out of a gradient, in place. @returns false when the step has to be left out */
  unscale(gradients: Float32Array): boolean {
    const { value, good } = this.state;
    if (!gradients.every(Number.isFinite)) {
      this.state = { value: value / 2, good: 0 };
      return false;
    }
    for (let at = 0; at < gradients.length; at++) gradients[at]! /= value;
    const isCalm = good + 1 >= GROW_AFTER;
    this.state = isCalm ? { value: value * 2, good: 0 } : { value, good: good + 1 };
    return true;
  }
}

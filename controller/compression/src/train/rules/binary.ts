/** Signs in place of numbers, with straight-through gradients [Rastegari et al. 2016, XNOR-Net, sec. 3]. */
import type { Ref, Tape } from '../tape.js';
import type { Rule } from './rule.js';

/** +1 above zero, else -1. */
const signOf = (tape: Tape, x: Ref): Ref => tape.sub(tape.scale(tape.step(x), 2), tape.float(1));
/** 1 where |x| is at most a bound. */
const within = (tape: Tape, x: Ref, bound: Ref): Ref =>
  tape.sub(tape.float(1), tape.step(tape.sub(tape.unary('Abs', x), bound)));

/**
 * a sign(w), where a is the mean of |w| in each filter, which comes nearest to w of all such products (eq. 6). With n weights in a filter,
 * dw = dy (1/n + a [|w| <= 1]) (sec. 3.1).
 */
export const binaryWeights: Rule = ({ tape, inputs: [w] }) => {
  const dims = tape.shape(w!);
  const size = dims.slice(1).reduce((product, one) => product * one, 1);
  const kept = dims.map((one, axis) => (axis === 0 ? one : 1));
  const axes = dims.map((_, axis) => axis).slice(1);
  const sums = tape.reshape(tape.sum(tape.unary('Abs', w!), axes), kept);
  const scale = tape.scale(sums, 1 / size);
  return {
    outputs: [tape.mul(signOf(tape, w!), scale)],
    backward: ([dy]) => {
      const passed = tape.mul(within(tape, w!, tape.float(1)), scale);
      return [tape.mul(dy!, tape.add(passed, tape.float(1 / size)))];
    },
  };
};

/**
 * sign(x - threshold), inputs x, threshold and width, [1, C, 1, 1]: a normalization before a sign comes to just these.
 * With u = (x - threshold) / width the gradient is that of u clipped to -1..1: dx = dy [|u| <= 1] / width.
 */
export const binaryActivations: Rule = ({ tape, inputs, needs }) => {
  const [x, threshold, width] = inputs as [Ref, Ref, Ref];
  const moved = tape.sub(x, threshold);
  return {
    outputs: [signOf(tape, moved)],
    backward: ([dy]) => {
      const dx = tape.mul(dy!, tape.div(within(tape, moved, width), width));
      return [
        needs[0] ? dx : null,
        needs[1] ? tape.scale(tape.unbroadcast(dx, tape.shape(threshold)), -1) : null,
        null,
      ];
    },
  };
};

/** Arithmetic of two operands that broadcast: each gradient is summed over the axes along which its operand repeats. */
import type { Ref, Tape } from '../tape.js';
import type { Rule } from './rule.js';

type Gradient = (tape: Tape, dy: Ref, a: Ref, b: Ref) => Ref;

const binary =
  (forward: (tape: Tape, a: Ref, b: Ref) => Ref, toA: Gradient, toB: Gradient): Rule =>
  ({ tape, inputs, needs }) => {
    const [a, b] = inputs as [Ref, Ref];
    return {
      outputs: [forward(tape, a, b)],
      backward: ([dy]) => [
        needs[0] ? tape.unbroadcast(toA(tape, dy!, a, b), tape.shape(a)) : null,
        needs[1] ? tape.unbroadcast(toB(tape, dy!, a, b), tape.shape(b)) : null,
      ],
    };
  };

const same: Gradient = (_, dy) => dy;

export const add = binary((tape, a, b) => tape.add(a, b), same, same);
export const sub = binary(
  (tape, a, b) => tape.sub(a, b),
  same,
  (tape, dy) => tape.unary('Neg', dy),
);
export const mul = binary(
  (tape, a, b) => tape.mul(a, b),
  (tape, dy, _, b) => tape.mul(dy, b),
  (tape, dy, a) => tape.mul(dy, a),
);
export const div = binary(
  (tape, a, b) => tape.div(a, b),
  (tape, dy, _, b) => tape.div(dy, b),
  (tape, dy, a, b) => tape.unary('Neg', tape.div(tape.mul(dy, a), tape.mul(b, b))),
);

/** d√x / dx = 1 / 2√x. */
export const sqrt: Rule = ({ tape, inputs: [x] }) => {
  const y = tape.unary('Sqrt', x!);
  return { outputs: [y], backward: ([dy]) => [tape.div(tape.scale(dy!, 0.5), y)] };
};

/** Activations: y = f(x), dx = dy f'(x), with f' from y where that is cheaper. */
import { floatOf, intOf, type Node } from '../../onnx/node.js';
import { numbersOf } from '../../onnx/tensor.js';
import type { Ref, Tape } from '../tape.js';
import { type Rule, refuse } from './rule.js';

type Slope = (tape: Tape, x: Ref, y: Ref, node: Node) => Ref;

const pointwise =
  (forward: (tape: Tape, x: Ref, node: Node) => Ref, slope: Slope): Rule =>
  ({ tape, node, inputs: [x] }) => {
    const y = forward(tape, x!, node);
    return { outputs: [y], backward: ([dy]) => [tape.mul(dy!, slope(tape, x!, y, node))] };
  };

const oneMinus = (tape: Tape, x: Ref): Ref => tape.sub(tape.float(1), x);

export const relu = pointwise(
  (tape, x) => tape.unary('Relu', x),
  (tape, _, y) => tape.step(y),
);

const slopeOf = (node: Node): number => floatOf(node, 'alpha', 0.01);

/** 1 above zero, alpha below: step (1 - alpha) + alpha. */
export const leakyRelu = pointwise(
  (tape, x, node) => tape.unary('LeakyRelu', x, { alpha: { float: slopeOf(node) } }),
  (tape, x, _, node) => tape.add(tape.scale(tape.step(x), 1 - slopeOf(node)), tape.float(slopeOf(node))),
);

export const sigmoid = pointwise(
  (tape, x) => tape.unary('Sigmoid', x),
  (tape, _, y) => tape.mul(y, oneMinus(tape, y)),
);

export const tanh = pointwise(
  (tape, x) => tape.unary('Tanh', x),
  (tape, _, y) => oneMinus(tape, tape.mul(y, y)),
);

/** d erf(x) / dx = 2/√π exp(-x²). */
export const erf = pointwise(
  (tape, x) => tape.unary('Erf', x),
  (tape, x) => tape.scale(tape.unary('Exp', tape.unary('Neg', tape.mul(x, x))), 2 / Math.sqrt(Math.PI)),
);

/** x Φ(x); its slope is Φ(x) + x φ(x), with the normal distribution Φ and its density φ. */
export const gelu: Rule = (context) => {
  const { tape, node, inputs } = context;
  if (node.attributes.has('approximate') && text(node, 'approximate') !== 'none') refuse(context, 'it is approximated');
  const x = inputs[0]!;
  const share = tape.scale(tape.add(tape.unary('Erf', tape.scale(x, Math.SQRT1_2)), tape.float(1)), 0.5);
  return {
    outputs: [tape.mul(x, share)],
    backward: ([dy]) => {
      const density = tape.unary('Exp', tape.scale(tape.mul(x, x), -0.5));
      const slope = tape.add(share, tape.scale(tape.mul(x, density), 1 / Math.sqrt(2 * Math.PI)));
      return [tape.mul(dy!, slope)];
    },
  };
};

const text = (node: Node, name: string): string =>
  new TextDecoder().decode(node.attributes.get(name)?.s ?? new Uint8Array());

const hardAlpha = (node: Node): number => floatOf(node, 'alpha', 0.2);

/** alpha inside (0, 1), where y (1 - y) is above zero. */
export const hardSigmoid = pointwise(
  (tape, x, node) =>
    tape.unary('HardSigmoid', x, {
      alpha: { float: hardAlpha(node) },
      beta: { float: floatOf(node, 'beta', 0.5) },
    }),
  (tape, _, y, node) => tape.scale(tape.step(tape.mul(y, oneMinus(tape, y))), hardAlpha(node)),
);

/** x h with h = HardSigmoid(x / 6 + 1/2); slope h + x/6 inside [ONNX HardSwish-14]. */
export const hardSwish: Rule = ({ tape, inputs: [x] }) => {
  const gate = tape.unary('HardSigmoid', x!, { alpha: { float: 1 / 6 }, beta: { float: 0.5 } });
  return {
    outputs: [tape.mul(x!, gate)],
    backward: ([dy]) => {
      const inside = tape.step(tape.mul(gate, oneMinus(tape, gate)));
      return [tape.mul(dy!, tape.add(gate, tape.mul(inside, tape.scale(x!, 1 / 6))))];
    },
  };
};

/** The gradient passes where x lies strictly inside the bounds. */
export const clip: Rule = (context) => {
  const { tape, inputs, constant } = context;
  const x = inputs[0]!;
  const bound = (input: number, otherwise: number): number => {
    if (!inputs[input]) return otherwise;
    const tensor = constant(input);
    return tensor ? numbersOf(tensor)[0]! : refuse(context, 'a bound is computed');
  };
  const low = bound(1, Number.NEGATIVE_INFINITY);
  const high = bound(2, Number.POSITIVE_INFINITY);
  const y = tape.emit('Clip', [x, tape.float(low), tape.float(high)], tape.shape(x));
  return {
    outputs: [y],
    backward: ([dy]) => {
      const above = Number.isFinite(low) ? tape.step(low === 0 ? y : tape.sub(y, tape.float(low))) : null;
      const below = Number.isFinite(high) ? tape.step(tape.sub(tape.float(high), y)) : null;
      const masks = [above, below].filter((mask) => mask !== null);
      return [masks.reduce((gradient, mask) => tape.mul(gradient, mask), dy!), null, null];
    },
  };
};

/** max(x, 0) + slope min(x, 0), a slope a channel. */
export const pRelu: Rule = ({ tape, inputs, needs }) => {
  const [x, slope] = inputs as [Ref, Ref];
  const positive = tape.step(x);
  const negative = tape.sub(tape.float(1), positive);
  return {
    outputs: [tape.emit('PRelu', [x, slope], tape.shape(x))],
    backward: ([dy]) => [
      needs[0] ? tape.mul(dy!, tape.add(positive, tape.mul(negative, slope))) : null,
      needs[1] ? tape.unbroadcast(tape.mul(dy!, tape.mul(negative, x)), tape.shape(slope)) : null,
    ],
  };
};

/** dx = y (dy - Σ dy y) along the axis. */
export const softmax: Rule = ({ tape, node, inputs: [x] }) => {
  const dims = tape.shape(x!);
  const axis = (intOf(node, 'axis', -1) + dims.length) % dims.length;
  const y = tape.unary('Softmax', x!, { axis });
  return {
    outputs: [y],
    backward: ([dy]) => {
      const kept = dims.map((size, at) => (at === axis ? 1 : size));
      const along = tape.reshape(tape.sum(tape.mul(dy!, y), [axis]), kept);
      return [tape.mul(y, tape.sub(dy!, along))];
    },
  };
};

/** Fake quantization: rounds as a quantized kernel would, and lets the gradient through [Jacob et al. 2018, sec. 3]. */
import { intOf } from '../../onnx/node.js';
import type { Ref } from '../tape.js';
import type { Rule } from './rule.js';

const SCALE_MIN = 1e-8;

/** Symmetric, a scale for each output channel from its largest weight: nothing is clipped, so the gradient is whole. */
export const fakeQuantWeights: Rule = ({ tape, node, inputs: [w] }) => {
  const dims = tape.shape(w!);
  const axes = dims.map((_, axis) => axis).slice(1);
  const kept = dims.map((size, axis) => (axis === 0 ? size : 1));
  const most = tape.emit('ReduceMax', [tape.unary('Abs', w!)], kept, { axes, keepdims: 1 });
  const floor = tape.emit('Max', [most, tape.float(SCALE_MIN)], kept);
  const scale = tape.scale(floor, 1 / (2 ** (intOf(node, 'bits', 8) - 1) - 1));
  const y = tape.mul(tape.unary('Round', tape.div(w!, scale)), scale);
  return { outputs: [y], backward: ([dy]) => [dy!] };
};

/**
 * Affine over a range that is learnt: inputs x, low <= 0, high >= 0. The gradient of x passes inside the range, that of an
 * end of the range is the sum over what it cuts off [Choi et al. 2018, PACT].
 */
export const fakeQuantActivations: Rule = ({ tape, node, inputs, needs }) => {
  const [x, low, high] = inputs as [Ref, Ref, Ref];
  const levels = 2 ** intOf(node, 'bits', 8) - 1;
  const [bottom, top] = [tape.emit('Min', [low, tape.float(0)], []), tape.emit('Max', [high, tape.float(0)], [])];
  const scale = tape.scale(tape.emit('Max', [tape.sub(top, bottom), tape.float(SCALE_MIN)], []), 1 / levels);
  const least = tape.unary('Round', tape.div(bottom, scale));
  const most = tape.add(least, tape.float(levels));
  const dims = tape.shape(x);
  const steps = tape.emit('Clip', [tape.unary('Round', tape.div(x, scale)), least, most], dims);
  return {
    outputs: [tape.mul(steps, scale)],
    backward: ([dy]) => {
      const [below, above] = [tape.step(tape.sub(bottom, x)), tape.step(tape.sub(x, top))];
      const cut = (mask: Ref): Ref =>
        tape.sum(
          tape.mul(dy!, mask),
          dims.map((_, axis) => axis),
        );
      const inside = tape.sub(tape.sub(tape.float(1), below), above);
      return [needs[0] ? tape.mul(dy!, inside) : null, needs[1] ? cut(below) : null, needs[2] ? cut(above) : null];
    },
  };
};

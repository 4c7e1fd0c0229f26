import { floatOf, intOf } from '../../onnx/node.js';
import { elementCount } from '../../onnx/tensor.js';
import type { Ref, Tape } from '../tape.js';
import { type Rule, refuse } from './rule.js';

/**
 * Normalizes by the batch. With s1 = Σdy, s2 = Σdy x, mean μ, inv = 1/√(var + ε) and m values a channel:
 * dβ = s1, dγ = (s2 - μ s1) inv, dx = A dy + B x + K, where A = γ inv, B = -A inv dγ / m, K = -A s1 / m - B μ
 * [Ioffe and Szegedy 2015, sec. 3]. A dy + K is one inference BatchNormalization.
 */
export const batchNormalization: Rule = (context) => {
  const { tape, node, inputs, needs } = context;
  const [x, gamma, beta] = inputs as [Ref, Ref, Ref];
  const dims = tape.shape(x);
  const channels = dims[1]!;
  const count = elementCount(dims) / channels;
  if (count < 2) refuse(context, 'one value a channel has no variance; take a larger batch');
  const epsilon = floatOf(node, 'epsilon', 1e-5);
  const zeros = tape.filled([channels], 0);
  const ones = tape.filled([channels], 1);
  // The kernel writes the new statistics over the old ones, so each node gets old ones of its own, computed in the run.
  const old = [tape.mul(gamma, zeros), tape.mul(beta, zeros)];
  // With momentum 0 the running statistics that come out are those of the batch.
  const attributes = { epsilon: { float: epsilon }, momentum: { float: 0 }, training_mode: 1 };
  const shapes = [dims, [channels], [channels]];
  const [y, mean, variance] = tape.emitAll('BatchNormalization', [x, gamma, beta, ...old], shapes, attributes);
  context.setStatistic(node.inputs[3]!, mean!);
  context.setStatistic(node.inputs[4]!, tape.scale(variance!, count / (count - 1)));
  return {
    outputs: [y!],
    backward: ([dy]) => {
      const inverse = tape.div(tape.float(1), tape.unary('Sqrt', tape.add(variance!, tape.float(epsilon))));
      const sum = tape.sumChannels(dy!);
      const sumX = tape.sumChannels(tape.mul(dy!, x));
      const dGamma = tape.mul(tape.sub(sumX, tape.mul(mean!, sum)), inverse);
      const parameters = [needs[1] ? dGamma : null, needs[2] ? sum : null, null, null];
      if (!needs[0]) return [null, ...parameters];
      const a = tape.mul(gamma, inverse);
      const b = tape.scale(tape.mul(tape.mul(a, inverse), dGamma), -1 / count);
      const k = tape.sub(tape.scale(tape.mul(a, sum), -1 / count), tape.mul(b, mean!));
      const affine = tape.emit('BatchNormalization', [dy!, a, k, zeros, ones], dims, { epsilon: { float: 0 } });
      const perChannel = tape.reshape(b, [1, channels, ...dims.slice(2).map(() => 1)]);
      return [tape.add(affine, tape.mul(x, perChannel)), ...parameters];
    },
  };
};

const meanOver = (tape: Tape, x: Ref, axes: readonly number[]): Ref => {
  const dims = tape.shape(x).map((size, axis) => (axes.includes(axis) ? 1 : size));
  return tape.emit('ReduceMean', [x], dims, { axes, keepdims: 1 });
};

/** x̂ = (x - μ) inv over some axes, and its gradient: dx = inv (d - mean(d) - x̂ mean(d x̂)) [Ba et al. 2016]. */
function normalized(tape: Tape, x: Ref, axes: readonly number[], epsilon: number) {
  const centred = tape.sub(x, meanOver(tape, x, axes));
  const variance = meanOver(tape, tape.mul(centred, centred), axes);
  const inverse = tape.div(tape.float(1), tape.unary('Sqrt', tape.add(variance, tape.float(epsilon))));
  const unit = tape.mul(centred, inverse);
  const backward = (d: Ref): Ref => {
    const along = tape.mul(unit, meanOver(tape, tape.mul(d, unit), axes));
    return tape.mul(inverse, tape.sub(tape.sub(d, meanOver(tape, d, axes)), along));
  };
  return { unit, backward };
}

export const layerNormalization: Rule = (context) => {
  const { tape, node, inputs, needs } = context;
  const [x, gamma, beta] = inputs as [Ref, Ref, Ref | undefined];
  if (node.outputs.length > 1) refuse(context, 'its mean or variance is read');
  const rank = tape.shape(x).length;
  const first = intOf(node, 'axis', -1);
  const axes = Array.from({ length: rank }, (_, axis) => axis).slice(first < 0 ? first + rank : first);
  const { unit, backward } = normalized(tape, x, axes, floatOf(node, 'epsilon', 1e-5));
  const scaled = tape.mul(unit, gamma);
  return {
    outputs: [beta ? tape.add(scaled, beta) : scaled],
    backward: ([dy]) => [
      needs[0] ? backward(tape.mul(dy!, gamma)) : null,
      needs[1] ? tape.unbroadcast(tape.mul(dy!, unit), tape.shape(gamma)) : null,
      beta && needs[2] ? tape.unbroadcast(dy!, tape.shape(beta)) : null,
    ],
  };
};

export const instanceNormalization: Rule = ({ tape, node, inputs, needs }) => {
  const [x, gamma, beta] = inputs as [Ref, Ref, Ref];
  const dims = tape.shape(x);
  const axes = dims.map((_, axis) => axis).slice(2);
  const { unit, backward } = normalized(tape, x, axes, floatOf(node, 'epsilon', 1e-5));
  const perChannel = (value: Ref): Ref => tape.reshape(value, [1, dims[1]!, ...axes.map(() => 1)]);
  return {
    outputs: [tape.add(tape.mul(unit, perChannel(gamma)), perChannel(beta))],
    backward: ([dy]) => [
      needs[0] ? backward(tape.mul(dy!, perChannel(gamma))) : null,
      needs[1] ? tape.sumChannels(tape.mul(dy!, unit)) : null,
      needs[2] ? tape.sumChannels(dy!) : null,
    ],
  };
};

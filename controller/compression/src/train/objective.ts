/**
 * What training makes smaller: a sum of terms, each with its gradient at the values it looks at. Targets are
 * distributions, so labels, label smoothing, MixUp and CutMix are all one term.
 */
import { type Convolution, convForward } from './rules/conv-forward.js';
import { convInputGradient } from './rules/conv-input-gradient.js';
import { convWeightGradient } from './rules/conv-weight-gradient.js';
import { pointwiseWindow } from './rules/window.js';
import type { Ref, Tape } from './tape.js';

export interface Term {
  /** A scalar. */
  readonly value: Ref;
  readonly gradients: ReadonlyMap<Ref, Ref>;
}

/** -Σ target log softmax(z) / N; its gradient is (softmax(z) - target) / N. @param logits [N, K] */
export function crossEntropy(tape: Tape, logits: Ref, target: Ref, weight: number): Term {
  const [n] = tape.shape(logits) as [number, number];
  const log = tape.unary('LogSoftmax', logits, { axis: 1 });
  const value = tape.scale(tape.sum(tape.mul(target, log), [0, 1]), -weight / n);
  const gradient = tape.scale(tape.sub(tape.unary('Exp', log), target), weight / n);
  return { value, gradients: new Map([[logits, gradient]]) };
}

/**
 * T² KL(softmax(t/T) ‖ softmax(z/T)), averaged over the samples; gradient T (softmax(z/T) - softmax(t/T)) / N
 * [Hinton, Vinyals and Dean 2015, sec. 2]. @param temperature a scalar that may change from step to step
 */
export function distillation(tape: Tape, logits: Ref, teacher: Ref, temperature: Ref, weight: number): Term {
  const [n] = tape.shape(logits) as [number, number];
  const logOf = (z: Ref): Ref => tape.unary('LogSoftmax', tape.div(z, temperature), { axis: 1 });
  const [theirs, ours] = [logOf(teacher), logOf(logits)];
  const [wanted, given] = [tape.unary('Exp', theirs), tape.unary('Exp', ours)];
  const divergence = tape.sum(tape.mul(wanted, tape.sub(theirs, ours)), [0, 1]);
  const value = tape.scale(tape.mul(divergence, tape.mul(temperature, temperature)), weight / n);
  const gradient = tape.mul(tape.sub(given, wanted), tape.scale(temperature, weight / n));
  return { value, gradients: new Map([[logits, gradient]]) };
}

/**
 * Mean squared distance of two feature maps, the student's through a learnt 1x1 convolution to the teacher's channels
 * [Romero et al. 2015, FitNets]. @param student [N, C, H, W]  @param teacher [N, D, H, W]  @param adapter [D, C, 1, 1]
 */
export function featureDistance(tape: Tape, student: Ref, teacher: Ref, adapter: Ref, weight: number): Term {
  const [batch, inChannels, height, width] = tape.shape(student) as [number, number, number, number];
  const outChannels = tape.shape(teacher)[1]!;
  const seen: Convolution = {
    ...{ tape, x: student, w: adapter, batch, inChannels, outChannels, groups: 1 },
    window: pointwiseWindow([height, width]),
  };
  const difference = tape.sub(convForward(seen, null), teacher);
  const count = batch * outChannels * height * width;
  const value = tape.scale(tape.sum(tape.mul(difference, difference), [0, 1, 2, 3]), weight / count);
  const d = tape.scale(difference, (2 * weight) / count);
  return {
    value,
    gradients: new Map([
      [student, convInputGradient(seen, d)],
      [adapter, convWeightGradient(seen, d)],
    ]),
  };
}

/**
 * Squared distance of the two attention maps, each the sum of squares over the channels brought to length 1
 * [Zagoruyko and Komodakis 2017, eq. 2]. With a map a, its length |a|, q = a/|a| and dq: da = (dq - q (q·dq)) / |a|.
 */
export function attentionTransfer(tape: Tape, student: Ref, teacher: Ref, weight: number): Term {
  const [n, , h, w] = tape.shape(student) as [number, number, number, number];
  const mapOf = (x: Ref): { unit: Ref; length: Ref } => {
    const [, , height, width] = tape.shape(x) as [number, number, number, number];
    const map = tape.reshape(tape.sum(tape.mul(x, x), [1]), [n, height * width]);
    const squares = tape.reshape(tape.sum(tape.mul(map, map), [1]), [n, 1]);
    const length = tape.unary('Sqrt', tape.add(squares, tape.float(1e-12)));
    return { unit: tape.div(map, length), length };
  };
  const [ours, theirs] = [mapOf(student), mapOf(teacher)];
  const difference = tape.sub(ours.unit, theirs.unit);
  const value = tape.scale(tape.sum(tape.mul(difference, difference), [0, 1]), weight / n);
  const dUnit = tape.scale(difference, (2 * weight) / n);
  const along = tape.reshape(tape.sum(tape.mul(ours.unit, dUnit), [1]), [n, 1]);
  const dMap = tape.div(tape.sub(dUnit, tape.mul(ours.unit, along)), ours.length);
  const gradient = tape.mul(student, tape.scale(tape.reshape(dMap, [n, 1, h, w]), 2));
  return { value, gradients: new Map([[student, gradient]]) };
}

import { floatOf, intOf } from '../../onnx/node.js';
import { MICROSOFT, type Ref, type Tape } from '../tape.js';
import { type Rule, refuse } from './rule.js';

/** y = a b + c, with b as it is or transposed [ONNX Gemm-13]. */
export const gemm: Rule = (context) => {
  const { tape, node, inputs, needs } = context;
  const [a, b, c] = inputs as [Ref, Ref, Ref | undefined];
  const turned = intOf(node, 'transB', 0);
  const plain = floatOf(node, 'alpha', 1) === 1 && floatOf(node, 'beta', 1) === 1 && intOf(node, 'transA', 0) === 0;
  if (!plain) refuse(context, 'alpha, beta or transA is set');
  const [rows, inner] = tape.shape(a) as [number, number];
  const columns = tape.shape(b)[turned ? 0 : 1]!;
  return {
    outputs: [tape.emit('Gemm', inputs.filter(Boolean), [rows, columns], { transB: turned })],
    backward: ([dy]) => {
      const db = (): Ref =>
        turned
          ? tape.emit('Gemm', [dy!, a], [columns, inner], { transA: 1 })
          : tape.emit('Gemm', [a, dy!], [inner, columns], { transA: 1 });
      return [
        needs[0] ? tape.emit('Gemm', [dy!, b], [rows, inner], { transB: turned ? 0 : 1 }) : null,
        needs[1] ? db() : null,
        c && needs[2] ? tape.unbroadcast(dy!, tape.shape(c)) : null,
      ];
    },
  };
};

/** The product of the last two axes with one operand transposed. */
function product(tape: Tape, a: Ref, b: Ref, transA: 0 | 1, transB: 0 | 1): Ref {
  const [left, right] = [tape.shape(a), tape.shape(b)];
  const rank = Math.max(left.length, right.length);
  const lead = Array.from({ length: rank - 2 }, (_, axis) =>
    Math.max(left[left.length - rank + axis] ?? 1, right[right.length - rank + axis] ?? 1),
  );
  const dims = [...lead, left.at(transA ? -1 : -2)!, right.at(transB ? -2 : -1)!];
  return tape.emit('FusedMatMul', [a, b], dims, { transA, transB }, MICROSOFT);
}

/** da = dy bᵀ, db = aᵀ dy; summed over the axes along which an operand was repeated. */
export const matMul: Rule = (context) => {
  const { tape, inputs, needs } = context;
  const [a, b] = inputs as [Ref, Ref];
  if (tape.shape(a).length < 2 || tape.shape(b).length < 2) refuse(context, 'an operand is a vector');
  return {
    outputs: [product(tape, a, b, 0, 0)],
    backward: ([dy]) => [
      needs[0] ? tape.unbroadcast(product(tape, dy!, b, 0, 1), tape.shape(a)) : null,
      needs[1] ? tape.unbroadcast(product(tape, a, dy!, 1, 0), tape.shape(b)) : null,
    ],
  };
};

/**
 * The order in which channels go, by the exact least-squares error of a linear operator that has to do without them
 * (Optimal Brain Surgeon on activations [Hassibi and Stork 1993]): with S the covariance of what it reads, H = S⁻¹ and W
 * its weights [o, d], losing the columns B costs tr(W_B H_BB⁻¹ W_Bᵀ), after the rest has made up for it. One pass from the
 * first removal to the last gives the error of every width.
 */
import type { Removal } from './importance.js';
import { addRidge, invert } from './matrix.js';

export interface Reader {
  /** W, row-major [outputs, size]. */
  readonly weights: Float64Array;
  readonly outputs: number;
  readonly size: number;
  /** Covariance of the input, [size, size]. */
  readonly covariance: Float64Array;
  /** Variance of what its output goes into, summed over channels: errors of different readers are shares of it. */
  readonly variance: number;
  /** Columns of W that each channel of the group stands for. */
  readonly columns: readonly (readonly number[])[];
}

const RIDGE = 1e-4;

/** A reader while channels go. Both matrices have a row a column of W, so that every loop reads memory in order. */
interface State {
  readonly columns: Reader['columns'];
  readonly size: number;
  readonly outputs: number;
  /** Wᵀ [size, outputs] and H [size, size]; what has gone is zero. */
  readonly weights: Float64Array;
  readonly inverse: Float64Array;
  readonly scale: number;
}

function begin({ weights, outputs, size, covariance, columns, variance }: Reader): State {
  const turned = new Float64Array(size * outputs);
  for (let row = 0; row < outputs; row++)
    for (let at = 0; at < size; at++) turned[at * outputs + row] = weights[row * size + at]!;
  const inverse = invert(addRidge(covariance, size, RIDGE), size)!;
  return { columns, size, outputs, weights: turned, inverse, scale: 1 / Math.max(variance, 1e-12) };
}

function dot(rows: Float64Array, a: number, b: number, width: number): number {
  let sum = 0;
  for (let at = 0; at < width; at++) sum += rows[a * width + at]! * rows[b * width + at]!;
  return sum;
}

/** H_BB⁻¹ of a block; blocks are small, the kernel's places of one channel. Null when rounding has made it singular. */
function kernelOf({ inverse, size }: State, block: readonly number[]): Float64Array | null {
  const small = new Float64Array(block.length ** 2);
  for (const [a, row] of block.entries())
    for (const [b, column] of block.entries()) small[a * block.length + b] = inverse[row * size + column]!;
  if (block.length > 1) return invert(small, block.length);
  return small[0]! > 0 ? Float64Array.of(1 / small[0]!) : null;
}

/** tr(W_B K W_Bᵀ) as a share of the reader's output variance; 0 for a block without information. */
function errorOf(state: State, block: readonly number[]): number {
  const kernel = kernelOf(state, block);
  if (!kernel) return 0;
  let sum = 0;
  for (const [a, left] of block.entries()) {
    for (const [b, right] of block.entries())
      sum += kernel[a * block.length + b]! * dot(state.weights, left, right, state.outputs);
  }
  return state.scale * Math.max(0, sum);
}

/** The rest makes up for a block: Wᵀ -= H_:B K Wᵀ_B, and H forgets it the same way. */
function removeBlock(state: State, block: readonly number[]): void {
  const { inverse, size, weights, outputs } = state;
  const kernel = kernelOf(state, block);
  if (kernel) {
    // H_:B K, a row a column of W: both updates use it as it was before either.
    const factors = new Float64Array(size * block.length);
    for (let row = 0; row < size; row++) {
      for (const b of block.keys()) {
        let factor = 0;
        for (const [a, column] of block.entries())
          factor += inverse[row * size + column]! * kernel[a * block.length + b]!;
        factors[row * block.length + b] = factor;
      }
    }
    eliminate(weights, outputs, block, factors, size);
    eliminate(inverse, size, block, factors, size);
  }
  // What is left of the block is rounding; zeros keep it out of later blocks.
  for (const gone of block) {
    weights.fill(0, gone * outputs, (gone + 1) * outputs);
    inverse.fill(0, gone * size, (gone + 1) * size);
    for (let row = 0; row < size; row++) inverse[row * size + gone] = 0;
  }
}

function eliminate(
  rows: Float64Array,
  width: number,
  block: readonly number[],
  factors: Float64Array,
  size: number,
): void {
  const lost = block.map((at) => rows.slice(at * width, (at + 1) * width));
  for (let row = 0; row < size; row++) {
    for (const [b, line] of lost.entries()) {
      const factor = factors[row * block.length + b]!;
      if (factor === 0) continue;
      const start = row * width;
      for (let at = 0; at < width; at++) rows[start + at]! -= factor * line[at]!;
    }
  }
}

/** @returns the order, and the error of each width as a share of the readers' output variance */
export function obsRemoval(readers: readonly Reader[], channels: number): Removal {
  const states = readers.map(begin);
  const left = new Set(Array.from({ length: channels }, (_, at) => at));
  const order: number[] = [];
  const errors = [0];
  while (left.size > 1) {
    let best = { channel: -1, error: Number.POSITIVE_INFINITY };
    for (const channel of left) {
      const error = states.reduce((sum, state) => sum + errorOf(state, state.columns[channel]!), 0);
      if (error < best.error) best = { channel, error };
    }
    left.delete(best.channel);
    order.push(best.channel);
    errors.push(errors.at(-1)! + best.error);
    for (const state of states) removeBlock(state, state.columns[best.channel]!);
  }
  return { order, errors };
}

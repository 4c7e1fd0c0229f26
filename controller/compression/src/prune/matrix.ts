/** Dense symmetric linear algebra in float64, row-major. */

/** Cholesky factor L of a positive definite matrix, A = L Lᵀ; null when A is not positive definite. */
export function cholesky(matrix: Float64Array, size: number): Float64Array | null {
  const factor = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * size + column]!;
      const [a, b] = [row * size, column * size];
      for (let at = 0; at < column; at++) sum -= factor[a + at]! * factor[b + at]!;
      if (row !== column) factor[a + column] = sum / factor[b + column]!;
      else if (sum > 0) factor[a + row] = Math.sqrt(sum);
      else return null;
    }
  }
  return factor;
}

/** Solves A x = b for each row b of `right` [rows, size], given the factor of A; in place. */
export function solveRows(factor: Float64Array, size: number, right: Float64Array): void {
  for (let start = 0; start < right.length; start += size) {
    for (let row = 0; row < size; row++) {
      let sum = right[start + row]!;
      for (let at = 0; at < row; at++) sum -= factor[row * size + at]! * right[start + at]!;
      right[start + row] = sum / factor[row * size + row]!;
    }
    for (let row = size - 1; row >= 0; row--) {
      const value = right[start + row]! / factor[row * size + row]!;
      right[start + row] = value;
      // Column by column of Lᵀ, which is row by row of L: memory is read in order.
      for (let at = 0; at < row; at++) right[start + at]! -= factor[row * size + at]! * value;
    }
  }
}

/** Inverse of a positive definite matrix, or null. */
export function invert(matrix: Float64Array, size: number): Float64Array | null {
  const factor = cholesky(matrix, size);
  if (!factor) return null;
  const inverse = new Float64Array(size * size);
  for (let at = 0; at < size; at++) inverse[at * size + at] = 1;
  solveRows(factor, size, inverse);
  return inverse;
}

/** Adds a share of the mean diagonal to the diagonal: the least that makes a covariance invertible (ridge). */
export function addRidge(matrix: Float64Array, size: number, share: number): Float64Array {
  let trace = 0;
  for (let at = 0; at < size; at++) trace += matrix[at * size + at]!;
  const ridge = Math.max((share * trace) / size, 1e-12);
  const result = matrix.slice();
  for (let at = 0; at < size; at++) result[at * size + at]! += ridge;
  return result;
}

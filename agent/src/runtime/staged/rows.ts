/** Rows of a batch on their way through the stages: which end here, and what goes on. Pure. */
import { type ExitStage, endsHere } from '@espalier/proto';
import type { TensorData, TensorValue } from '../protocol.js';

/** Some rows of a tensor [N, ...], in the order given. */
export function takeRows({ type, shape, data }: TensorValue, rows: readonly number[]): TensorValue {
  const size = data.length / (shape[0] ?? 1);
  const taken = new (data.constructor as new (length: number) => TensorData)(rows.length * size);
  for (const [at, row] of rows.entries()) {
    const part = data.subarray(row * size, (row + 1) * size);
    (taken as { set(values: unknown, offset: number): void }).set(part, at * size);
  }
  return { type, shape: [rows.length, ...shape.slice(1)], data: taken };
}

export interface Parted {
  readonly ending: readonly number[];
  readonly going: readonly number[];
}

/** The rows of a batch that a stage is sure of, and the others. @param logits [N, classes] */
export function partRows(stage: ExitStage, { shape, data }: TensorValue): Parted {
  const rows = shape[0] ?? 1;
  const size = data.length / rows;
  const ending: number[] = [];
  const going: number[] = [];
  for (let row = 0; row < rows; row++) {
    const logits = data.subarray(row * size, (row + 1) * size) as Float32Array;
    (endsHere(stage, logits) ? ending : going).push(row);
  }
  return { ending, going };
}

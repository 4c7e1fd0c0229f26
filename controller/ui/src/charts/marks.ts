import type { MeasurementView } from '@espalier/proto/api';

export interface Mark {
  readonly atSeconds: number;
  readonly label: string;
}

/** Where what the device serves changed: the first window of each run of one digest. Rows are oldest first. */
export const switchMarks = (rows: readonly Pick<MeasurementView, 'at' | 'digest' | 'method'>[]): Mark[] =>
  rows
    .filter((row, index) => row.digest !== rows[index - 1]?.digest)
    .map((row) => ({ atSeconds: Date.parse(row.at) / 1000, label: row.method ?? row.digest.slice(0, 8) }));

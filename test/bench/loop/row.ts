export interface Row {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: string;
  readonly n: number;
  readonly seed: number;
  readonly note?: string;
}

export interface LoopBench {
  readonly ids: readonly string[];
  /** Takes longer than ten minutes: only with --long. */
  readonly long?: boolean;
  readonly needsData?: boolean;
  measure(data: string): Promise<Row[]>;
}

export const rounded = (value: number): number => Number(value.toFixed(2));

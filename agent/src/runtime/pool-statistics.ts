/** Counters of one model since it was loaded [OIP, statistics extension]. Times are milliseconds. */

export interface BatchCount {
  count: number;
  ms: number;
}

export class PoolStatistics {
  /** Runs by batch size. */
  readonly batches = new Map<number, BatchCount>();
  executions = 0;
  inferences = 0;
  /** Refused before they ran because their time was over. */
  dropped = 0;

  batch(rows: number, ms: number): void {
    this.executions++;
    this.inferences += rows;
    const known = this.batches.get(rows) ?? { count: 0, ms: 0 };
    this.batches.set(rows, known);
    known.count++;
    known.ms += ms;
  }
}

/** Counters of one model since it was loaded [OIP, statistics extension]. Times are milliseconds. */

export interface Total {
  count: number;
  ms: number;
}

const total = (): Total => ({ count: 0, ms: 0 });
const add = (to: Total, ms: number): void => {
  to.count++;
  to.ms += ms;
};

export class PoolStatistics {
  /** Runs by batch size. */
  readonly batches = new Map<number, Total>();
  readonly success = total();
  readonly fail = total();
  readonly queue = total();
  readonly infer = total();
  executions = 0;
  inferences = 0;
  /** Refused before they ran because their time was over. */
  dropped = 0;
  /** Rows by the stage at which they ended; empty for a model without early exits. */
  readonly exits: number[] = [];
  /** When the last one was answered, milliseconds since 1970; 0 for never. */
  lastMs = 0;

  batch(rows: number, ms: number): void {
    this.executions++;
    this.inferences += rows;
    const known = this.batches.get(rows) ?? total();
    this.batches.set(rows, known);
    add(known, ms);
  }

  answered(totalMs: number, queueMs: number, runMs: number, atMs: number): void {
    add(this.success, totalMs);
    add(this.queue, queueMs);
    add(this.infer, runMs);
    this.lastMs = atMs;
  }

  failed(totalMs: number): void {
    add(this.fail, totalMs);
  }
}

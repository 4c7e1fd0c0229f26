/**
 * Memory that requests and workers share: for each rung of the ladder slabs of shared memory, with a slot a row for every
 * input and output. A request is written into its slot once and read there by ONNX Runtime; outputs are handed out as views
 * and the slab is used again when all of them are released.
 */
import type { BatchLayout, RowSpec } from './layout.js';
import { fillFrom, type InputTensors, type RawTensors, sizeOf } from './values.js';

export interface Slab {
  readonly id: number;
  readonly rung: number;
  readonly inputs: readonly SharedArrayBuffer[];
  readonly outputs: readonly SharedArrayBuffer[];
}

const share = (rows: readonly RowSpec[], rung: number): SharedArrayBuffer[] =>
  rows.map(({ bytes }) => new SharedArrayBuffer(Math.max(8, bytes * rung)));

export class SlabPool {
  readonly #free = new Map<number, Slab[]>();
  #nextId = 1;
  #out = 0;

  constructor(
    readonly layout: BatchLayout,
    private rungs: readonly number[],
  ) {}

  /** Slabs in use. */
  get out(): number {
    return this.#out;
  }

  /** A slab with room for so many rows: the smallest rung that holds them. */
  take(rows: number): Slab {
    const rung = this.rungs.find((size) => size >= rows) ?? rows;
    this.#out++;
    const free = this.#free.get(rung)?.pop();
    if (free) return free;
    const { inputs, outputs } = this.layout;
    return { id: this.#nextId++, rung, inputs: share(inputs, rung), outputs: share(outputs ?? [], rung) };
  }

  give(slab: Slab): void {
    this.#out--;
    if (!this.rungs.includes(slab.rung)) return;
    const free = this.#free.get(slab.rung);
    if (free) free.push(slab);
    else this.#free.set(slab.rung, [slab]);
  }

  /** Counts out a slab that will not come back. */
  lose(): void {
    this.#out--;
  }

  /** From now on these rungs; free slabs of all rungs are let go. */
  reset(rungs: readonly number[]): void {
    this.rungs = rungs;
    this.#free.clear();
  }
}

/** Writes a request's tensors into its slots, from row `at` on. */
export function scatter(slab: Slab, { inputs }: BatchLayout, tensors: InputTensors, at: number): void {
  for (const [index, { name, bytes }] of inputs.entries()) {
    const tensor = tensors[name]!;
    fillFrom(new Uint8Array(slab.inputs[index]!, at * bytes, sizeOf(tensor)), tensor);
  }
}

/** The outputs of rows `at` to `at + rows`, as views of the slab. */
export function gather(slab: Slab, outputs: readonly RowSpec[], at: number, rows: number): RawTensors {
  return Object.fromEntries(
    outputs.map(({ name, type, shape, bytes }, index) => [
      name,
      { type, shape: [rows, ...shape], bytes: new Uint8Array(slab.outputs[index]!, at * bytes, rows * bytes) },
    ]),
  );
}

/** How requests lie in a batch: one row after another on axis 0 of every input and output. Pure. */
import type { TensorSpec } from '@espalier/proto';
import type { Tensors } from './protocol.js';
import { elementBytes, elementsOf } from './values.js';

/** One row of a tensor, without its batch axis. */
export interface RowSpec {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

export interface BatchLayout {
  readonly inputs: readonly RowSpec[];
  /** Null when an output's size may depend on the values: it cannot have a slot of its own in advance. */
  readonly outputs: readonly RowSpec[] | null;
}

const varies = (dim: number | string | undefined): boolean => typeof dim !== 'number' || dim < 0;

function rowOf({ name, type, shape }: TensorSpec): RowSpec | null {
  const [batch, ...row] = shape;
  const width = elementBytes(type);
  if (batch === undefined || width === null || row.some(varies)) return null;
  if (!varies(batch) && batch !== 1) return null;
  return { name, type, shape: row as number[], bytes: width * elementsOf(row as number[]) };
}

const rowsOf = (specs: readonly TensorSpec[]): readonly RowSpec[] | null => {
  const rows = specs.map(rowOf);
  return rows.every((row) => row !== null) ? rows : null;
};

/** The layout that a model's signature promises; null when its inputs have no rows of a fixed size. */
export function layoutOf(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): BatchLayout | null {
  const rows = rowsOf(inputs);
  return rows && rows.length > 0 ? { inputs: rows, outputs: rowsOf(outputs) } : null;
}

/** True when every input and output says that its first axis may vary; whether it may is proven on the device. */
export const claimsBatchAxis = (inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): boolean =>
  [...inputs, ...outputs].every(({ shape }) => shape.length > 0 && varies(shape[0]));

/** Rows that a request brings, or null when its tensors do not lie like the layout. */
export function rowsOfRequest(
  layout: BatchLayout,
  tensors: Readonly<Record<string, { readonly shape: readonly number[] }>>,
): number | null {
  const rows = tensors[layout.inputs[0]!.name]?.shape[0] ?? 0;
  const fits = layout.inputs.every(({ name, shape }) => {
    const given = tensors[name]?.shape;
    return given?.[0] === rows && given.length === shape.length + 1 && shape.every((dim, at) => dim === given[at + 1]);
  });
  return fits && rows > 0 ? rows : null;
}

/** Rows `from` to `to` of every tensor; views, where the first axis is a batch axis. */
export function sliceRows(tensors: Tensors, from: number, to: number): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, shape, data }]) => {
      const width = elementsOf(shape.slice(1));
      const part = data.subarray(from * width, to * width);
      return [name, { type, shape: [to - from, ...shape.slice(1)], data: part }];
    }),
  );
}

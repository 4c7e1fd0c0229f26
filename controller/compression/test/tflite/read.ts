/**
 * Reads a .tflite back by the rules of the flatbuffers format alone, with nothing shared with the writer: a table
 * starts with the distance to its vtable, which holds the place of each field; references count from where they stand.
 */
import { OPERATORS, type OperatorName, TENSOR_TYPE, type TensorType } from '@espalier/compression/tflite/schema';

export interface ReadTensor {
  readonly name: string;
  readonly shape: number[];
  readonly type: TensorType;
  readonly data: Uint8Array | null;
  /** Where the data lies in the file. */
  readonly offset: number | null;
  readonly scales: number[];
  readonly zeros: number[];
  readonly axis: number;
}

export interface ReadOperator {
  readonly name: OperatorName;
  readonly version: number;
  readonly inputs: number[];
  readonly outputs: number[];
  readonly options: Table | null;
}

export interface ReadModel {
  readonly identifier: string;
  readonly version: number;
  readonly description: string;
  readonly tensors: ReadTensor[];
  readonly operators: ReadOperator[];
  readonly inputs: number[];
  readonly outputs: number[];
  /** Bytes of buffer 0. */
  readonly emptyBuffer: number;
}

/** One table of the file. */
export class Table {
  private readonly view: DataView;
  private readonly at: number;

  constructor(view: DataView, at: number) {
    this.view = view;
    this.at = at;
  }

  /** Where the field lies, or null when the table has its default. */
  private field(slot: number): number | null {
    const vtable = this.at - this.view.getInt32(this.at, true);
    const entry = 4 + 2 * slot;
    if (entry >= this.view.getUint16(vtable, true)) return null;
    const offset = this.view.getUint16(vtable + entry, true);
    return offset === 0 ? null : this.at + offset;
  }
  private reference(slot: number): number | null {
    const at = this.field(slot);
    return at === null ? null : at + this.view.getUint32(at, true);
  }
  int8 = (slot: number, otherwise = 0): number => {
    const at = this.field(slot);
    return at === null ? otherwise : this.view.getInt8(at);
  };
  int32 = (slot: number, otherwise = 0): number => {
    const at = this.field(slot);
    return at === null ? otherwise : this.view.getInt32(at, true);
  };
  float32 = (slot: number, otherwise = 0): number => {
    const at = this.field(slot);
    return at === null ? otherwise : this.view.getFloat32(at, true);
  };
  table(slot: number): Table | null {
    const at = this.reference(slot);
    return at === null ? null : new Table(this.view, at);
  }
  private list<T>(slot: number, size: number, read: (at: number) => T): T[] {
    const at = this.reference(slot);
    if (at === null) return [];
    return Array.from({ length: this.view.getUint32(at, true) }, (_, index) => read(at + 4 + index * size));
  }
  int32s = (slot: number): number[] => this.list(slot, 4, (at) => this.view.getInt32(at, true));
  float32s = (slot: number): number[] => this.list(slot, 4, (at) => this.view.getFloat32(at, true));
  int64s = (slot: number): number[] => this.list(slot, 8, (at) => Number(this.view.getBigInt64(at, true)));
  tables = (slot: number): Table[] =>
    this.list(slot, 4, (at) => new Table(this.view, at + this.view.getUint32(at, true)));
  /** The bytes of a vector, and where they start. */
  bytes(slot: number): { data: Uint8Array; offset: number } | null {
    const at = this.reference(slot);
    if (at === null) return null;
    const { buffer, byteOffset } = this.view;
    return {
      data: new Uint8Array(buffer as ArrayBuffer, byteOffset + at + 4, this.view.getUint32(at, true)),
      offset: at + 4,
    };
  }
  text = (slot: number): string => new TextDecoder().decode(this.bytes(slot)?.data);
}

const nameOf = <K extends string>(known: Readonly<Record<K, unknown>>, fits: (key: K) => boolean): K => {
  const found = (Object.keys(known) as K[]).find(fits);
  if (!found) throw new Error('the file holds a number that the schema does not');
  return found;
};

export function readTflite(file: Uint8Array): ReadModel {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const root = new Table(view, view.getUint32(0, true));
  const [codes, buffers] = [root.tables(1), root.tables(4)];
  const [subgraph] = root.tables(2);
  if (!subgraph) throw new Error('the file has no subgraph');
  const tensors = subgraph.tables(0).map((tensor): ReadTensor => {
    const stored = buffers[tensor.int32(2)]!.bytes(0);
    const quantization = tensor.table(4);
    return {
      name: tensor.text(3),
      shape: tensor.int32s(0),
      type: nameOf(TENSOR_TYPE, (key) => TENSOR_TYPE[key] === tensor.int8(1)),
      data: stored?.data ?? null,
      offset: stored?.offset ?? null,
      scales: quantization?.float32s(2) ?? [],
      zeros: quantization?.int64s(3) ?? [],
      axis: quantization?.int32(6) ?? 0,
    };
  });
  const operators = subgraph.tables(3).map((operator): ReadOperator => {
    const code = codes[operator.int32(0)]!;
    const name = nameOf(OPERATORS, (key) => OPERATORS[key].code === Math.max(code.int8(0), code.int32(3)));
    const [inputs, outputs] = [operator.int32s(1), operator.int32s(2)];
    return { name, version: code.int32(2, 1), inputs, outputs, options: operator.table(4) };
  });
  return {
    ...{ identifier: new TextDecoder().decode(file.subarray(4, 8)), version: root.int32(0), description: root.text(3) },
    ...{ tensors, operators, inputs: subgraph.int32s(1), outputs: subgraph.int32s(2) },
    emptyBuffer: buffers[0]!.bytes(0)?.data.length ?? 0,
  };
}

/** A small assembler for WebAssembly: enough for loops over memory with SIMD [WebAssembly Core Specification 2.0, ch. 5]. */

/** Instructions as bytes. */
export type Code = readonly number[];

/** Unsigned LEB128, in which sizes, indices and offsets are written. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** Signed LEB128, in which constants are written. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const isDone = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(isDone ? low : low | 0x80);
    if (isDone) return bytes;
  }
}

const list = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: Code): number[] => [...unsigned(bytes.length), ...bytes];
const section = (id: number, bytes: Code): number[] => [id, ...sized(bytes)];
const text = (value: string): number[] => sized([...new TextEncoder().encode(value)]);

export const I32 = 0x7f;
export const I64 = 0x7e;
const EMPTY_BLOCK = 0x40;
const ALIGNED = 2;

const simd = (opcode: number, ...more: number[]): Code => [0xfd, ...unsigned(opcode), ...more];
const memory = (offset: number): number[] => [ALIGNED, ...unsigned(offset)];

/** Instructions by their names in the specification, `.` left out. Addresses are a base on the stack and an offset. */
export const op = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  constant: (value: number): Code => [0x41, ...signed(value)],
  i32Add: [0x6a],
  i32Shl: [0x74],
  i32Or: [0x72],
  i32LtU: [0x49],
  i32Sub: [0x6b],
  i32WrapI64: [0xa7],
  i64Add: [0x7c],
  i64Xor: [0x85],
  i64Popcnt: [0x7b],
  i64Zero: [0x42, 0x00],
  i64Load: (offset: number): Code => [0x29, ...memory(offset)],
  i64Load32U: (offset: number): Code => [0x35, ...memory(offset)],
  f32ConvertI32S: [0xb2],
  f32Mul: [0x94],
  f32Load: (offset: number): Code => [0x2a, ...memory(offset)],
  f32Store: (offset: number): Code => [0x38, ...memory(offset)],
  i32Store: (offset: number): Code => [0x36, ...memory(offset)],
  load: (offset: number): Code => simd(0x00, ...memory(offset)),
  f32x4Gt: simd(0x44),
  i8x16Bitmask: simd(0x64),
  i8x16NarrowI16x8S: simd(0x65),
  i16x8NarrowI32x4S: simd(0x85),
} as const;

/** `local` += `step`. */
export const advance = (local: number, step: number): Code => [
  ...[op.get(local), op.constant(step), op.i32Add, op.set(local)].flat(),
];

/** Runs `body` `times` times, with `counter` at 0, 1, ... */
export const repeat = (counter: number, times: number, body: Code): Code => [
  ...[op.constant(0), op.set(counter)].flat(),
  ...[0x03, EMPTY_BLOCK],
  ...body,
  ...advance(counter, 1),
  ...[op.get(counter), op.constant(times), op.i32LtU].flat(),
  ...[0x0d, 0x00, 0x0b],
];

/** A function without parameters and results. */
export interface WasmFunction {
  readonly name: string;
  /** Types of its locals. */
  readonly locals: readonly number[];
  readonly body: Code;
}

/** A module over an imported memory `env.memory`, exporting all functions. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = list([[0x60, 0, 0]]);
  const imports = list([[...text('env'), ...text('memory'), 0x02, 0x00, ...unsigned(1)]]);
  const exported = list(functions.map(({ name }, at) => [...text(name), 0x00, ...unsigned(at)]));
  const code = list(
    functions.map(({ locals, body }) => sized([...list(locals.map((type) => [1, type])), ...body, 0x0b])),
  );
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, types),
    ...section(2, imports),
    ...section(3, list(functions.map(() => [0]))),
    ...section(7, exported),
    ...section(10, code),
  ]);
}

/** Golden inputs against what a session answers: the proof that this device computes what the controller saw. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GoldenFile, type Manifest, type TensorSpec } from '@espalier/proto';
import type { TensorData, Tensors, TensorValue } from './protocol.js';
import { decodeValues } from './values.js';

export type GoldenCase = GoldenFile['cases'][number];

/** The golden cases of a slot on disk. */
export const readGolden = (slot: string, { golden }: Manifest): GoldenCase[] =>
  GoldenFile.parse(JSON.parse(readFileSync(path.join(slot, golden.path), 'utf8'))).cases;

/** Stored tensors as a model takes or gives them. */
export function tensorsOf(stored: GoldenCase['inputs'], specs: readonly TensorSpec[]): Tensors {
  const types = new Map(specs.map(({ name, type }) => [name, type]));
  return Object.fromEntries(
    Object.entries(stored).map(([name, { shape, base64 }]): [string, TensorValue] => {
      const type = types.get(name) ?? 'float32';
      return [name, { type, shape, data: decodeValues(type, Buffer.from(base64, 'base64')) }];
    }),
  );
}

/** What answers golden cases: a session in the self-test, the worker that serves in the health window. */
export interface Answering {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  run(feeds: Tensors): Tensors | Promise<Tensors>;
}

/** Runs one case; what is wrong with the answer, in words, or null. */
export async function checkCase(
  model: Answering,
  { inputs, outputs }: GoldenCase,
  tolerance: Tolerance,
): Promise<string | null> {
  const found = await model.run(tensorsOf(inputs, model.inputs));
  return compareGolden(tensorsOf(outputs, model.outputs), found, tolerance);
}

/** By output. */
export type Tolerance = Readonly<Record<string, number>>;

/** How far a runtime's answers may be from the golden ones. */
export const toleranceOf = ({ golden, alternatives = [] }: Manifest, adapter: string): Tolerance =>
  alternatives.find((one) => one.adapter === adapter)?.tolerance ?? golden.tolerance;

/** The largest absolute difference of two tensors; infinite when their lengths differ or a value is not a number. */
export function largestDifference(a: TensorData, b: TensorData): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let at = 0; at < a.length; at++) {
    const difference = Math.abs(Number(a[at]) - Number(b[at]));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}

/** The first output that is off by more than its tolerance, in words; null when all are within. */
export function compareGolden(wanted: Tensors, found: Tensors, tolerance: Tolerance): string | null {
  for (const [name, value] of Object.entries(wanted)) {
    const output = found[name];
    if (!output) return `output ${name} is missing`;
    const limit = tolerance[name] ?? 0;
    const difference = largestDifference(value.data, output.data);
    if (difference > limit) return `output ${name} differs by ${difference}, allowed ${limit}`;
  }
  return null;
}

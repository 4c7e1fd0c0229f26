/** The rows of one answered request that the model was unsure of, with the way to their inputs. Pure. */
import { QualityWindow, SAMPLE_BYTES_MAX, SampleType } from '@espalier/proto';
import {
  elementBytes,
  elementsOf,
  fillFrom,
  type InputTensors,
  largestAt,
  type RawTensors,
  sizeOf,
} from '../../runtime/values.js';

/** Rows of a batch that are looked at: a client that sends hundreds at once waits for no more than these. */
const ROWS_MAX = 16;
/** A request of which one row is read is read whole. */
const REQUEST_BYTES_MAX = 8 * SAMPLE_BYTES_MAX;

export interface UnsureRow {
  readonly guess: number;
  readonly confidence: number;
  readonly input: { readonly name: string; readonly type: SampleType; readonly shape: number[] };
  /** A copy of the row's values; valid until the request is answered. */
  copy(): Uint8Array;
}

/** @param output name of the scores, one row a sample; @param below confidence under which a row counts */
export function unsureRows(
  feeds: InputTensors,
  outputs: RawTensors,
  { output, width }: { readonly output: string; readonly width: number },
  below: number,
): UnsureRow[] {
  const entries = Object.entries(feeds);
  const found = outputs[output];
  if (entries.length !== 1 || found?.type !== 'float32') return [];
  const [name, tensor] = entries[0]!;
  const type = SampleType.safeParse(tensor.type);
  const [rows = 0, ...shape] = tensor.shape;
  const bytes = elementsOf(shape) * (elementBytes(tensor.type) ?? 0);
  const isKept = type.success && shape.length > 0 && bytes > 0 && bytes <= SAMPLE_BYTES_MAX;
  if (!isKept || sizeOf(tensor) !== rows * bytes || sizeOf(tensor) > REQUEST_BYTES_MAX) return [];
  if (found.bytes.byteLength !== rows * width * 4) return [];
  const looked = Math.min(rows, ROWS_MAX);
  const scores = new Float32Array(found.bytes.slice(0, looked * width * 4).buffer);
  const unsure: UnsureRow[] = [];
  for (let row = 0; row < looked; row++) {
    const own = scores.subarray(row * width, (row + 1) * width);
    const confidence = new QualityWindow(width).see(own);
    if (confidence === null || confidence >= below) continue;
    unsure.push({
      ...{ guess: largestAt(own), confidence, input: { name, type: type.data, shape } },
      copy() {
        const whole = new Uint8Array(sizeOf(tensor));
        fillFrom(whole, tensor);
        return rows === 1 ? whole : whole.slice(row * bytes, (row + 1) * bytes);
      },
    });
  }
  return unsure;
}

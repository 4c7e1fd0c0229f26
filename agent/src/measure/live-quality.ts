/** What the model that serves says to its live requests, summed up in a few kilobytes whatever comes. */
import { classCount, type QualitySketch, QualityWindow, type TensorSpec } from '@espalier/proto';
import type { RawTensors } from '../runtime/values.js';

/** Rows that are looked at a second: more would say no more, and the device has other work. */
const ROWS_A_SECOND = 200;

export class LiveQuality {
  #window: QualityWindow;
  #second = Number.NEGATIVE_INFINITY;
  #rows = 0;

  private constructor(
    private readonly output: string,
    width: number,
  ) {
    this.#window = new QualityWindow(width);
  }

  /** Null for a model that is no classifier. */
  static of(outputs: readonly TensorSpec[]): LiveQuality | null {
    const width = classCount(outputs);
    return width === null ? null : new LiveQuality(outputs[0]!.name, width);
  }

  /** The answer to one request; reads it, and keeps nothing of it. */
  see(outputs: RawTensors, nowMs: number): void {
    const found = outputs[this.output];
    if (found?.type !== 'float32' || found.bytes.byteLength % 4 !== 0) return;
    const { bytes } = found;
    const isAligned = bytes.byteOffset % 4 === 0;
    const own = isAligned ? bytes : bytes.slice();
    const scores = new Float32Array(own.buffer, own.byteOffset, own.byteLength / 4);
    for (let start = 0; start + this.#window.width <= scores.length; start += this.#window.width) {
      if (!this.#allows(nowMs)) return;
      this.#window.see(scores, start);
    }
  }

  /** What was seen since the last call; null when nothing was. */
  take(): QualitySketch | null {
    if (this.#window.n === 0) return null;
    const sketch = this.#window.sketch();
    this.#window = new QualityWindow(this.#window.width);
    return sketch;
  }

  #allows(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) [this.#second, this.#rows] = [second, 0];
    return this.#rows++ < ROWS_A_SECOND;
  }
}

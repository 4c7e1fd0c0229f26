/**
 * What a calibration has summed up so far, on disk, so that a killed one goes on from its last streamed group. How ranges
 * are drawn is no part of the key: the figures serve every method.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Batch } from '../data/feeds.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { runtimeVersion } from '../runtime/session.js';
import { type Numbers, RecordLog } from './record-log.js';

/** Figures that can be put aside and taken up again. */
export interface Kept {
  state(): readonly Numbers[];
  /** Takes up what {@link state} gave. */
  restore(state: readonly Numbers[]): void;
}

/** Of the meaning of the figures: counted up when they are summed in another way. */
const VERSION = 4;

function updateWithFeeds(hash: Hash, samples: readonly Batch[]): void {
  for (const { feeds } of samples) {
    for (const [name, { data, dims, type }] of Object.entries(feeds)) {
      hash.update(JSON.stringify([name, type, dims]));
      const { buffer, byteOffset, byteLength } = data as Float32Array;
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  }
}

export class CalibrationCache {
  private reused = 0;
  private readonly hashes = new WeakMap<Graph, string>();

  private constructor(
    private readonly path: string,
    private readonly log: RecordLog,
  ) {}

  /**
   * The cache of a graph and the samples it is observed on; started again when it is of others.
   * @param options what else the figures depend on
   * Throws ESP_CALIBRATION_CACHE when the file cannot be written, or is something else.
   */
  static async open(path: string, graph: Graph, samples: readonly Batch[], options = ''): Promise<CalibrationCache> {
    const hash = createHash('sha256').update(JSON.stringify([VERSION, runtimeVersion(), process.arch, options]));
    hash.update(encodeModel(graph));
    updateWithFeeds(hash, samples);
    return new CalibrationCache(path, await RecordLog.open(path, hash.digest('hex')));
  }

  /** Name of the record of one group: what is summed, of which values of which graph. */
  private nameOf(graph: Graph, what: unknown): string {
    const known = this.hashes.get(graph) ?? createHash('sha256').update(encodeModel(graph)).digest('hex');
    this.hashes.set(graph, known);
    return createHash('sha256')
      .update(JSON.stringify([known, what]))
      .digest('hex');
  }

  /**
   * Fills the figures of one group from its record, else by measuring, and then keeps them.
   * @param what names the group among all of this graph
   */
  async through(graph: Graph, what: unknown, figures: readonly Kept[], measure: () => Promise<void>): Promise<void> {
    const name = this.nameOf(graph, what);
    const found = await this.log.read(name);
    if (!found) {
      await measure();
      await this.log.append(
        name,
        figures.flatMap((one) => one.state()),
      );
      return;
    }
    this.reused++;
    const width = found.length / figures.length;
    for (const [at, one] of figures.entries()) one.restore(found.slice(at * width, (at + 1) * width));
  }

  /** What the user should know of the file; nothing of a new one. */
  notes(): string[] {
    const { problem } = this.log;
    return [
      ...(this.reused > 0 ? [`Calibration went on from ${this.path}: ${this.reused} of its parts were there.`] : []),
      ...(problem ? [`The calibration cache ${this.path}: ${problem}.`] : []),
    ];
  }

  close(): Promise<void> {
    return this.log.close();
  }
}

/** Builds against float, on samples that nothing was fitted to: what the search chooses by. */
import type { Dataset } from '../data/content.js';
import { subset } from '../data/content.js';
import { type Batch, type BatchOptions, batches, firstFeeds } from '../data/feeds.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { balancedSqnr, type Outputs } from '../quantize/meter.js';
import { partsOf, sampleBytes, spread } from '../quantize/samples.js';
import { argmax, requireNumbers } from '../recipe/accuracy.js';
import { measurePair, steadyUs } from '../recipe/latency.js';
import { collectGarbage } from '../runtime/collect.js';
import { type Feeds, Session } from '../runtime/session.js';

/** More samples would not change what is chosen. */
const SAMPLES_MAX = 1000;
/** Bytes of samples and of float's outputs that are held, each. */
const HELD_BYTES_MAX = 40_000_000;

export interface JudgeOptions {
  readonly model: Uint8Array | string;
  readonly name: string;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly profile: HardwareProfile;
  /** This machine is one that the profile fits: latency is measured. */
  readonly isHere: boolean;
}

export interface Figures {
  readonly drop: number;
  readonly sqnrDb: number;
  readonly speedup: number | null;
  readonly p50Us: number | null;
  readonly bytes: number;
}

interface Judged {
  readonly batch: Batch;
  readonly outputs: Outputs;
  /** What counts as right: the labels, or without them float's own first class. */
  readonly wanted: readonly number[];
}

export class Judge {
  /** Of the last comparison; null where latency is not measured. */
  floatUs: number | null = null;

  private constructor(
    private readonly float: Session,
    private readonly judged: readonly Judged[],
    private readonly options: JudgeOptions,
    /** Of these samples float has so many right; all of them without labels. */
    private readonly right: number,
    /** One sample, as devices see it. */
    readonly feeds: Feeds,
  ) {}

  /** Runs float over calibration samples that nothing is fitted to, and holds what it gives. @throws ESP_OUTPUT_NOT_A_NUMBER */
  static async open(options: JudgeOptions): Promise<Judge> {
    const { data, feeding, profile } = options;
    const float = await Session.open(options.model, options.name, profile.session);
    const free = freeSamples(data.n, feeding);
    const chosen = spread(
      free.length,
      Math.max(1, Math.min(SAMPLES_MAX, HELD_BYTES_MAX / sampleBytes(feeding.inputs))),
    );
    const part = subset(
      data,
      chosen.map((at) => free[at]!),
    );
    const judged: Judged[] = [];
    let [held, right] = [0, 0];
    for await (const batch of batches(part, { ...feeding, inputs: float.inputs, limit: part.n })) {
      const found = await float.floats(batch.feeds);
      requireNumbers(found, float.name);
      const outputs = Object.fromEntries(Object.entries(found).map(([name, { data: values }]) => [name, values]));
      const first = firstClasses(outputs[float.outputs[0]!.name]!, batch);
      const wanted = batch.labels ? [...batch.labels] : first;
      right += first.filter((one, at) => one === wanted[at]).length;
      judged.push({ batch, outputs, wanted });
      held += Object.values(outputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
      if (held > HELD_BYTES_MAX) break;
    }
    collectGarbage();
    const feeds = await firstFeeds(part, { ...feeding, inputs: float.inputs }, 1);
    return new Judge(float, judged, options, right, feeds!);
  }

  /** Samples that builds are judged by. */
  get n(): number {
    return this.judged.reduce((sum, { batch }) => sum + batch.size, 0);
  }

  /** A model's figures beside float's. @throws ESP_RUNTIME_REFUSED */
  async judge(model: Uint8Array): Promise<Figures> {
    const { name, profile, isHere, feeding } = this.options;
    const session = await Session.open(model, `a build of ${name}`, profile.session);
    try {
      const found: Outputs[] = [];
      let right = 0;
      for (const { batch, wanted } of this.judged) {
        feeding.signal?.throwIfAborted();
        const outputs = Object.fromEntries(
          Object.entries(await session.floats(batch.feeds)).map(([output, { data }]) => [output, data]),
        );
        const first = firstClasses(outputs[this.float.outputs[0]!.name]!, batch);
        right += first.filter((one, at) => one === wanted[at]).length;
        found.push(outputs);
      }
      const sqnrDb = balancedSqnr(
        this.judged.map(({ outputs }) => outputs),
        found,
        this.judged.map(({ batch }) => batch.size),
      );
      const drop = (100 * (this.right - right)) / this.n;
      const times = isHere ? await measurePair(this.float, session, this.feeds, feeding.signal) : null;
      const spent = times && steadyUs(times, profile.session);
      this.floatUs = spent?.float ?? null;
      const speedup = spent && spent.float / spent.variant;
      return { drop, sqnrDb, speedup, p50Us: spent?.variant ?? null, bytes: model.length };
    } finally {
      await session.dispose();
    }
  }

  async dispose(): Promise<void> {
    await this.float.dispose();
  }
}

/** Samples that the quantization fits nothing to; all where there are too few to split. */
function freeSamples(n: number, feeding: BatchOptions): number[] {
  const { fit, isSplit } = partsOf(n, feeding);
  const fitted = new Set(isSplit ? fit : []);
  return Array.from({ length: n }, (_, at) => at).filter((at) => !fitted.has(at));
}

function firstClasses(values: Float32Array, { feeds, size }: Batch): number[] {
  const rows = Object.values(feeds)[0]?.dims[0] ?? size;
  const width = Math.floor(values.length / Math.max(1, rows));
  return Array.from({ length: size }, (_, row) => argmax(values, row * width, width));
}

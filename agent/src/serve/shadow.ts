/**
 * The last look at a new model before it serves: a share of the live requests runs on it too, and what it says is compared
 * with what the old one answered. Clients are answered by the old one and wait for nothing.
 */
import { largestDifference } from '../runtime/golden.js';
import { decodeValues, type InputTensors, largestAt, type RawTensors } from '../runtime/values.js';

export interface ShadowLimits {
  /** Comparisons that are enough, and after how many milliseconds it is over with those there are. */
  readonly enough: number;
  readonly withinMs: number;
  /** One request in so many is compared, never two at a time: the device has little to spare for it. */
  readonly oneIn: number;
}

export const SHADOW_LIMITS: ShadowLimits = { enough: 16, withinMs: 2000, oneIn: 8 };

/** Fewer comparisons prove nothing, however they come out. */
const FEWEST = 4;
/** A quantized or pruned build of a model agrees with it on nine requests of ten; one that is broken, on hardly any. */
const LEAST_AGREEMENT = 0.5;
/** Relative L2 distance of outputs: builds are within 0.2, unrelated outputs at 1 and above. */
const LARGEST_DISTANCE = 0.5;

export interface Comparison {
  readonly agrees: boolean;
  readonly distance: number;
}

/** One request: whether the first row's largest output is the same, and how far apart all outputs are. */
export function compare(wanted: RawTensors, found: RawTensors): Comparison {
  let apart = 0;
  let size = 0;
  for (const [name, { type, bytes }] of Object.entries(wanted)) {
    const a = Float64Array.from(decodeValues(type, bytes), Number);
    const other = found[name];
    const b = other ? Float64Array.from(decodeValues(other.type, other.bytes), Number) : new Float64Array();
    if (!Number.isFinite(largestDifference(a, b))) return { agrees: false, distance: Number.POSITIVE_INFINITY };
    for (let at = 0; at < a.length; at++) {
      apart += (a[at]! - b[at]!) ** 2;
      size += a[at]! ** 2;
    }
  }
  const [first] = Object.keys(wanted);
  const scores = (outputs: RawTensors): Float64Array => {
    const { type, shape, bytes } = outputs[first!]!;
    return Float64Array.from(decodeValues(type, bytes), Number).subarray(0, shape.at(-1));
  };
  return {
    agrees: largestAt(scores(wanted)) === largestAt(scores(found)),
    distance: Math.sqrt(apart / Math.max(size, Number.MIN_VALUE)),
  };
}

/** What the comparisons show to be wrong, in words; null when nothing does. @param classifies the model answers with labels */
export function verdictOf(seen: readonly Comparison[], classifies: boolean): string | null {
  if (seen.length < FEWEST) return null;
  const wild = seen.filter(({ distance }) => distance === Number.POSITIVE_INFINITY).length;
  if (wild > seen.length / 2) return `${wild} of ${seen.length} live requests got values that are no numbers`;
  const agreeing = seen.filter(({ agrees }) => agrees).length;
  if (classifies)
    return agreeing < LEAST_AGREEMENT * seen.length
      ? `it agrees with the model that serves on ${agreeing} of ${seen.length} live requests`
      : null;
  const median = seen.map(({ distance }) => distance).sort((a, b) => a - b)[seen.length >> 1]!;
  return median > LARGEST_DISTANCE
    ? `its answers to ${seen.length} live requests are ${median.toFixed(2)} away from those of the model that serves`
    : null;
}

/** What runs requests a second time. */
export interface Shadowing {
  infer(feeds: InputTensors): Promise<{ readonly outputs: RawTensors; release(): void }>;
}

export class Shadow {
  readonly #seen: Comparison[] = [];
  #offered = 0;
  #isBusy = false;
  #end: () => void = () => undefined;

  constructor(
    private readonly pool: Shadowing,
    private readonly limits: ShadowLimits = SHADOW_LIMITS,
  ) {}

  /** Shows a live request with its answer, whose memory may be used again after the call. */
  offer(feeds: InputTensors, outputs: RawTensors): void {
    if (this.#isBusy || this.#offered++ % this.limits.oneIn !== 0) return;
    // What lies in shared memory is the client's, and may be another request by now.
    if (!Object.values(feeds).every((tensor) => 'bytes' in tensor)) return;
    const wanted = Object.fromEntries(
      Object.entries(outputs).map(([name, one]) => [name, { ...one, bytes: new Uint8Array(one.bytes) }]),
    );
    this.#isBusy = true;
    void this.#compare(feeds, wanted).finally(() => {
      this.#isBusy = false;
      if (this.#seen.length >= this.limits.enough) this.#end();
    });
  }

  /** Resolves when enough was compared or the time is over: with what is wrong, in words, or null. */
  async verdict(classifies: boolean): Promise<string | null> {
    let late: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      late = setTimeout(resolve, this.limits.withinMs);
    });
    clearTimeout(late);
    return verdictOf(this.#seen, classifies);
  }

  async #compare(feeds: InputTensors, wanted: RawTensors): Promise<void> {
    try {
      const { outputs, release } = await this.pool.infer(feeds);
      this.#seen.push(compare(wanted, outputs));
      release();
    } catch {
      // A request that the old model answers and the new one cannot run counts as wrong.
      this.#seen.push({ agrees: false, distance: Number.POSITIVE_INFINITY });
    }
  }
}

import type { Batch } from '../data/feeds.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { verify } from '../onnx/verify.js';
import { Session } from '../runtime/session.js';
import { ALONE } from '../share/shared.js';
import type { Range } from './affine.js';
import type { Base } from './base.js';
import { type Observing, observeHistograms } from './calibrate.js';
import { wholeRange } from './channel-stats.js';
import { type Insertion, insertQuantizers } from './insert.js';
import { balancedSqnr, type Outputs } from './meter.js';
import type { RoundedWeights } from './node-constants.js';
import { METHODS, type Method, type Observer } from './observer.js';
import type { Plan } from './place.js';
import { firstFloats, type Samples, samplesKey } from './samples.js';
import { unifyRanges } from './ties.js';

/** How a build is quantized: the method that draws ranges, and what is done beyond rounding to the nearest. */
export interface Choice {
  readonly method: Method;
  readonly equalize: boolean;
  readonly bias: boolean;
  readonly round: boolean;
}

export interface Candidate {
  readonly choice: Choice;
  /** On the samples kept for choosing: see {@link balancedSqnr}. */
  readonly sqnrDb: number;
}

export interface Written {
  readonly graph: Graph;
  readonly insertion: Insertion;
}

export interface Built extends Candidate, Written {}

/**
 * One choice changed at a time, from what usually serves best; the costly rounding last. Whether channels are equalized
 * is seen by whole ranges, which need no histogram: only the graph that is kept is run for those. Pure.
 */
export const nextChoices = (
  best: Choice,
  step: number,
  equalizable: boolean,
  methods: readonly Method[] = METHODS,
): Choice[] => {
  if (step === 0) {
    const method = methods.includes('minmax') ? 'minmax' : methods[0]!;
    return (equalizable ? [true, false] : [false]).map((equalize) => ({ ...best, method, equalize }));
  }
  if (step === 1) return methods.map((method) => ({ ...best, method }));
  if (step === 2) return [{ ...best, bias: false }];
  return step === 3 ? [{ ...best, round: true }] : [];
};

/** How much better a candidate must be, step by step: less is within the noise of a few dozen samples. */
const MARGINS_DB = [0.5, 0.2, 0, 0];
/** The step that starts anew: its first candidate stands, whatever the one before it found with another method. */
const METHOD_STEP = 1;
/** Floats of inputs that histograms are taken over: they settle sooner than extremes, which come from all samples. */
const HISTOGRAM_FLOATS = 3_600_000;

const isSame = (a: Choice, b: Choice): boolean =>
  a.method === b.method && a.equalize === b.equalize && a.bias === b.bias && a.round === b.round;

/** Builds candidates from observed bases and measures them against float on samples that fitted nothing. */
export class Search {
  private readonly observers = new Map<Base, Promise<Map<string, Observer>>>();
  private readonly tried: Candidate[] = [];
  private readonly rounded: RoundedWeights = new Map();

  constructor(
    private readonly plan: Plan,
    private readonly profile: HardwareProfile,
    private readonly samples: Samples,
    private readonly plain: Base,
    private readonly equalized: Base | null,
    private readonly methods: readonly Method[] = METHODS,
    private readonly observing: Observing = {},
  ) {}

  /** The best candidate found, and all that were measured. */
  async run(tell: (share: number) => void): Promise<Built & { candidates: readonly Candidate[] }> {
    const { shared = ALONE } = this.observing;
    const { graph } = this.plain;
    const reference = await shared.once('outputs', [graph, samplesKey(this.samples.check)], () =>
      outputsOf(graph, this.samples.check),
    );
    let best: Built | null = null;
    let choice: Choice = { method: this.methods[0]!, equalize: this.equalized !== null, bias: true, round: false };
    for (let step = 0; step < MARGINS_DB.length; step++) {
      const known: Built | null = best;
      if (step === METHOD_STEP) best = null;
      for (const next of nextChoices(choice, step, this.equalized !== null, this.methods)) {
        const isKnown = known !== null && isSame(known.choice, next);
        const built: Built = isKnown ? known : await this.build(next, reference);
        if (!isKnown) this.tried.push({ choice: next, sqnrDb: built.sqnrDb });
        if (!best || built.sqnrDb > best.sqnrDb + MARGINS_DB[step]!) best = built;
      }
      choice = best!.choice;
      tell((step + 1) / MARGINS_DB.length);
    }
    return { ...best!, candidates: this.tried };
  }

  /** The float graph that a choice is written into. */
  baseOf({ equalize }: Choice): Base {
    return equalize ? this.equalized! : this.plain;
  }

  /** Of the values that the plan needs; where builds share them, of all that were looked at. */
  private figuresOf({ figures }: Base): Base['figures'] {
    if (this.observing.shared?.isShared) return figures;
    return new Map([...figures].filter(([value]) => this.plan.values.has(value)));
  }

  private async build(choice: Choice, reference: readonly Outputs[]): Promise<Built> {
    const written = await this.write(choice, this.plan);
    const outputs = await outputsOf(written.graph, this.samples.check);
    const sizes = this.samples.check.map(({ size }) => size);
    return { choice, ...written, sqnrDb: balancedSqnr(reference, outputs, sizes) };
  }

  /** A plan written into a copy of the float graph. @param plan reads and makes no value that the search's own does not */
  async write(choice: Choice, plan: Plan): Promise<Written> {
    const base = this.baseOf(choice);
    const drawn = await this.ranges(base, choice.method, plan);
    const graph = cloneGraph(base.graph);
    const insertion = insertQuantizers(graph, plan, unifyRanges(plan, drawn), this.profile, {
      moments: base.moments,
      rounded: this.rounded,
      ...choice,
    });
    verify(graph, 'quantize');
    return { graph, insertion };
  }

  /**
   * The range of each value by a method; whole ranges need no histograms. Scores keep their whole range: clipped, the
   * largest would all be one.
   */
  private async ranges(base: Base, method: Method, { values }: Plan): Promise<Map<string, Range>> {
    const none = { min: 0, max: 0 };
    const wholeOf = (value: string): Range => (base.figures.has(value) ? wholeRange(base.figures.get(value)!) : none);
    if (method === 'minmax') return new Map([...values].map((value) => [value, wholeOf(value)]));
    if (!this.observers.has(base)) {
      this.observers.set(
        base,
        observeHistograms(
          base.graph,
          this.figuresOf(base),
          firstFloats(this.samples.fit, HISTOGRAM_FLOATS),
          this.observing,
        ),
      );
    }
    const observers = await this.observers.get(base)!;
    const drawnOf = (value: string): Range => observers.get(value)?.range(method) ?? none;
    return new Map([...values].map((value) => [value, base.graph.isOutput(value) ? wholeOf(value) : drawnOf(value)]));
  }
}

/** Outputs of a graph, a batch an element. */
export async function outputsOf(graph: Graph, samples: readonly Batch[]): Promise<Outputs[]> {
  const session = await Session.open(encodeModel(graph), 'the quantized graph');
  const found: Outputs[] = [];
  try {
    for (const { feeds } of samples) {
      const outputs = await session.floats(feeds);
      found.push(Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data])));
    }
  } finally {
    await session.dispose();
  }
  return found;
}

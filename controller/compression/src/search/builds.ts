/** The builds of a search: made, measured and kept. */
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { Refinable } from '../quantize/quantize.js';
import { RELIEVED, reliefOf } from '../quantize/relief.js';
import type { Budgets } from './budgets.js';
import type { Deadline } from './deadline.js';
import type { Judge } from './judge.js';
import type { Point } from './points.js';
import { type Prices, SPARED } from './price.js';
import type { Measured } from './rank.js';

export interface FallbackOptions {
  readonly found: Refinable;
  readonly judge: Judge;
  readonly profile: HardwareProfile;
  readonly isHere: boolean;
  readonly budgets: Budgets;
  readonly floatBytes: number;
  readonly deadline: Deadline;
  /** The last rewrites of a build, in place. */
  readonly finish: (graph: Graph) => void;
  readonly onPoint: (point: Point) => void;
}

/** A measured build, and how to make it again. */
export interface Tried {
  readonly point: Point;
  readonly relieved: ReadonlyMap<string, string>;
  readonly groups: readonly Measured[];
}

/** Every build that was measured. */
export class Builds {
  readonly tried: Tried[] = [];

  constructor(
    private readonly options: FallbackOptions,
    private readonly prices: Prices,
  ) {}

  private reason({ group, gain, price }: Measured): string {
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    const cost = price > 0 ? `${percent(price)} of float’s time` : 'no time';
    const [it, takes] = group.heads.length > 1 ? [group.name, 'take'] : ['it', 'takes'];
    const relief = RELIEVED[reliefOf(this.options.profile) ?? 'float'];
    return `${relief} ${it} ${takes} ${percent(gain)} of the outputs’ noise away, for ${cost} (${this.prices.from})`;
  }

  /** Measures int8 with these groups relieved, once. */
  async measure(groups: readonly Measured[]): Promise<Tried> {
    const { found, judge, finish, onPoint, floatBytes, profile } = this.options;
    const relieved = new Map<string, string>();
    for (const one of groups) {
      for (const node of one.group.nodes) if (!relieved.has(node)) relieved.set(node, this.reason(one));
    }
    const isSame = (tried: Tried): boolean =>
      tried.relieved.size === relieved.size && [...relieved.keys()].every((name) => tried.relieved.has(name));
    const before = this.tried.find(isSame);
    if (before) return before;
    const heads = [...new Set(groups.flatMap(({ group }) => group.heads))];
    const isWide = reliefOf(profile) === 'int16';
    const nodes = { floatNodes: isWide ? [] : heads, wideNodes: isWide ? heads : [] };
    const written = await found.relieve(relieved);
    if (!written) return this.keep({ point: { ...floatPoint(floatBytes), ...nodes }, relieved, groups });
    finish(written.graph);
    const { drop, sqnrDb, speedup, p50Us, bytes } = await judge.judge(encodeModel(written.graph));
    const load = speedup === null ? this.foretold(groups) : 1 / speedup;
    const point: Point = { precision: 'int8', drop, sqnrDb, speedup, p50Us, bytes, ...nodes, load };
    onPoint(point);
    return this.keep({ point, relieved, groups });
  }

  private keep(tried: Tried): Tried {
    this.tried.push(tried);
    return tried;
  }

  /** Time as a share of float's where none can be measured: prices are what int8 spares. */
  private foretold(groups: readonly Measured[]): number {
    const heads = new Set(groups.flatMap(({ group }) => group.heads));
    return SPARED + [...heads].reduce((sum, head) => sum + (this.prices.of.get(head) ?? 0), 0);
  }
}

/** Float itself, as a point. */
export const floatPoint = (bytes: number, p50Us: number | null = null): Point => ({
  ...{ precision: 'float', drop: 0, sqnrDb: 200, speedup: p50Us === null ? null : 1, p50Us, bytes },
  ...{ floatNodes: [], wideNodes: [], load: 1 },
});

/** How many channels each group keeps. Pure: curves in, widths out. */

export interface WidthCurve {
  readonly id: string;
  /** Widths that may be chosen, ascending; the last one is the whole group. */
  readonly widths: readonly number[];
  /** Error of each width, 0 for the whole; comparable between groups. */
  readonly errors: readonly number[];
  /** Cost of each width, in the unit of the budget. */
  readonly costs: readonly number[];
}

/** Widths that hardware likes: multiples of `step`, at least `floorShare` of the group, and always the whole. */
export function candidateWidths(size: number, step: number, floorShare = 0.25): number[] {
  const lowest = Math.max(step, Math.ceil((size * floorShare) / step) * step);
  const widths: number[] = [];
  for (let width = lowest; width < size; width += step) widths.push(width);
  return [...widths, size];
}

/** The candidate nearest to a share of the group, the wider of two. */
export function uniformWidth(size: number, step: number, keptShare: number): number {
  const wanted = Math.max(1, size * keptShare);
  const off = (width: number): number => Math.abs(width - wanted);
  return candidateWidths(size, step, 0).reduce((best, width) => (off(width) <= off(best) + 1e-9 ? width : best));
}

/** For a price of cost, the width of a group with the least error + price * cost. */
const atPrice = ({ widths, errors, costs }: WidthCurve, price: number): number => {
  let best = widths.length - 1;
  for (let at = widths.length - 1; at >= 0; at--) {
    if (errors[at]! + price * costs[at]! < errors[best]! + price * costs[best]!) best = at;
  }
  return best;
};

/** Spends what the price has left over: one width up at a time, the most error for its cost first. */
function spendRest(curves: readonly WidthCurve[], chosen: number[], budget: number): void {
  let rest = budget - curves.reduce((sum, { costs }, at) => sum + costs[chosen[at]!]!, 0);
  for (;;) {
    let best = { at: -1, gain: 0, cost: 0 };
    for (const [at, { costs, errors }] of curves.entries()) {
      const next = chosen[at]! + 1;
      if (next >= costs.length) continue;
      const cost = costs[next]! - costs[next - 1]!;
      const gain = (errors[next - 1]! - errors[next]!) / Math.max(cost, 1e-12);
      if (cost <= rest && gain > best.gain) best = { at, gain, cost };
    }
    if (best.at < 0) return;
    chosen[best.at]!++;
    rest -= best.cost;
  }
}

/**
 * Widths whose cost together is within the budget, at little error: the price of cost is raised until it fits, then the
 * rest is spent (Lagrangian relaxation of the knapsack that HALP solves [Shen et al. 2022]).
 * @returns width by group, or null when even the narrowest net is over the budget
 */
export function chooseWidths(curves: readonly WidthCurve[], budget: number): Map<string, number> | null {
  const at = (price: number): number[] => curves.map((curve) => atPrice(curve, price));
  const total = (chosen: readonly number[]): number =>
    curves.reduce((sum, { costs }, index) => sum + costs[chosen[index]!]!, 0);
  let [low, high] = [0, 0];
  while (total(at(high)) > budget) {
    [low, high] = [high, Math.max(high * 4, 1e-12)];
    if (high > 1e30) return null;
  }
  for (let step = 0; step < 60 && high > 0; step++) {
    const middle = (low + high) / 2;
    if (total(at(middle)) > budget) low = middle;
    else high = middle;
  }
  const chosen = at(high);
  spendRest(curves, chosen, budget);
  return new Map(curves.map(({ id, widths }, index) => [id, widths[chosen[index]!]!]));
}

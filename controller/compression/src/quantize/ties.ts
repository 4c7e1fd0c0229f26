import type { Graph } from '../onnx/graph.js';
import { type Range, withZero } from './affine.js';
import type { Plan } from './place.js';

/** Inputs of one Concat may differ this much in range before the smaller would lose more than four of its eight bits. */
const RANGE_RATIO_MAX = 16;

const width = ({ min, max }: Range): number => max - min;

/**
 * Concats whose inputs differ too much in range to share one scale, with the reason: box coordinates and class scores
 * joined by a detector's head are the usual case. They stay float, so that each input keeps its own scale.
 */
export function unlikeConcats(graph: Graph, plan: Plan, ranges: ReadonlyMap<string, Range>): Map<string, string> {
  const found = new Map<string, string>();
  for (const node of graph.nodes) {
    if (node.opType !== 'Concat' || plan.decisions.get(node.name)?.kind !== 'int8') continue;
    const widths = node.inputs.map((value) => width(ranges.get(value) ?? { min: 0, max: 0 })).filter((w) => w > 0);
    const ratio = Math.max(...widths) / Math.min(...widths);
    if (ratio > RANGE_RATIO_MAX) {
      found.set(
        node.name,
        `the ranges of its inputs differ ${Math.round(ratio)} times; one scale would flush the smaller`,
      );
    }
  }
  return found;
}

/** Ranges with tied values made equal: the union over each group, so that one scale serves the group; a range that is built in wins. */
export function unifyRanges(plan: Plan, ranges: ReadonlyMap<string, Range>): Map<string, Range> {
  const parent = new Map<string, string>();
  const root = (value: string): string => {
    const above = parent.get(value);
    return above === undefined || above === value ? value : root(above);
  };
  for (const [a, b] of plan.ties) parent.set(root(a), root(b));
  const union = new Map<string, Range>();
  for (const value of plan.values) {
    const range = withZero(ranges.get(value) ?? { min: 0, max: 0 });
    const sofar = union.get(root(value));
    union.set(
      root(value),
      sofar ? { min: Math.min(sofar.min, range.min), max: Math.max(sofar.max, range.max) } : range,
    );
  }
  for (const [value, range] of plan.fixed) union.set(root(value), range);
  return new Map([...plan.values].map((value) => [value, union.get(root(value))!]));
}

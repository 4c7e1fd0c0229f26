import { batches } from '../data/feeds.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { verify } from '../onnx/verify.js';
import { Session } from '../runtime/session.js';
import type { Range } from './affine.js';
import { type CalibrationOptions, observe } from './calibrate.js';
import { type Insertion, insertQuantizers } from './insert.js';
import { SqnrMeter } from './meter.js';
import type { Method, Observer } from './observer.js';
import { type Plan, placeQuantizers } from './place.js';
import { unifyRanges, unlikeConcats } from './ties.js';

export interface Quantized {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly method: Method;
  readonly insertion: Insertion;
  /** Mean SQNR of the outputs on the calibration data, by method tried. */
  readonly candidates: Readonly<Partial<Record<Method, number>>>;
}

const METHODS: readonly Method[] = ['minmax', 'mse', 'percentile'];
/** Calibration samples on which the methods are compared. */
const COMPARED_MAX = 128;

/**
 * Static int8: decides the places, observes them on the data, and writes the graph with the calibration method whose
 * outputs come nearest to float. The given graph stays as it is; null when nothing in it can be int8.
 */
export async function quantize(
  graph: Graph,
  profile: HardwareProfile,
  options: CalibrationOptions,
): Promise<Quantized | null> {
  let plan = placeQuantizers(graph, profile);
  if (![...plan.decisions.values()].some((decision) => decision.kind === 'int8')) return null;
  const observers = await observe(graph, plan.values, options);
  const unlike = unlikeConcats(graph, plan, rangesOf(plan, observers, 'minmax'));
  if (unlike.size > 0) plan = placeQuantizers(graph, profile, unlike);
  const reference = await runAll(graph, options);
  const candidates: Partial<Record<Method, number>> = {};
  let best: Quantized | null = null;
  for (const method of METHODS) {
    const copy = cloneGraph(graph);
    const ranges = unifyRanges(plan, rangesOf(plan, observers, method));
    const insertion = insertQuantizers(copy, plan, ranges, profile);
    verify(copy, 'quantize');
    const meter = new SqnrMeter();
    const outputs = await runAll(copy, options);
    outputs.forEach((output, at) => {
      for (const [name, data] of Object.entries(output)) meter.add(name, reference[at]![name]!, data);
    });
    candidates[method] = meter.mean();
    if (!best || candidates[method]! > candidates[best.method]!) {
      best = { graph: copy, plan, method, insertion, candidates };
    }
  }
  return best;
}

const rangesOf = (plan: Plan, observers: ReadonlyMap<string, Observer>, method: Method): Map<string, Range> =>
  new Map([...plan.values].map((value) => [value, observers.get(value)?.range(method) ?? { min: 0, max: 0 }]));

/** Outputs of the first samples, a batch an element. */
async function runAll(graph: Graph, options: CalibrationOptions): Promise<Record<string, Float32Array>[]> {
  const session = await Session.open(encodeModel(graph), 'the quantized graph');
  const limit = Math.min(COMPARED_MAX, options.feeding.limit ?? COMPARED_MAX);
  const found: Record<string, Float32Array>[] = [];
  try {
    for await (const batch of batches(options.data, { ...options.feeding, limit })) {
      const outputs = await session.floats(batch.feeds);
      found.push(Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data])));
    }
  } finally {
    await session.dispose();
  }
  return found;
}

import type { Batch } from '../data/feeds.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { finishing, runPasses } from '../passes/index.js';
import { observeChannels } from '../quantize/calibrate.js';
import { insertQuantizers } from '../quantize/insert.js';
import { placeQuantizers } from '../quantize/place.js';
import { unifyRanges } from '../quantize/ties.js';

/**
 * An int8 build that takes as long as a real one, made in a moment: its ranges are the extremes of a few samples, and
 * nothing is fitted. Good for timing, and for nothing else.
 */
export async function sketchInt8(graph: Graph, profile: HardwareProfile, samples: readonly Batch[]): Promise<Graph> {
  const plan = placeQuantizers(graph, profile);
  const figures = await observeChannels(graph, plan.values, samples);
  const ranges = new Map(
    [...figures].map(([value, { min, max }]) => [value, { min: Math.min(0, ...min), max: Math.max(0, ...max) }]),
  );
  const sketch = cloneGraph(graph);
  insertQuantizers(sketch, plan, unifyRanges(plan, ranges), profile);
  runPasses(sketch, finishing(profile));
  return sketch;
}

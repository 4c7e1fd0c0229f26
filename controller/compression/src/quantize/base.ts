import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { elementCount } from '../onnx/tensor.js';
import { type ChannelSpace, channelSpaces, isDepthwise } from './channel-spaces.js';
import type { ChannelFigures } from './channel-stats.js';
import { applyFactors, chooseFactors } from './equalize.js';
import { divideMoments, type Moments } from './moments.js';

/** A float graph to quantize, with what is known about its values. */
export interface Base {
  readonly graph: Graph;
  readonly figures: ReadonlyMap<string, ChannelFigures>;
  readonly moments: ReadonlyMap<string, Moments>;
}

/** The same model with equalized channels, its figures scaled along; null when no channel gains from it. */
export function equalizeBase({ graph, figures, moments }: Base): Base | null {
  const equalized = cloneGraph(graph);
  const scaledFigures = new Map(figures);
  const scaledMoments = new Map(moments);
  let applied = 0;
  for (const space of channelSpaces(equalized)) {
    const s = chooseFactors(equalized, space, figures);
    if (!s) continue;
    applied++;
    for (const value of space.values) {
      const found = figures.get(value);
      if (found) scaledFigures.set(value, scaleFigures(found, s));
    }
    scaleReaders(equalized, space, s, scaledMoments);
    applyFactors(equalized, space, s);
  }
  return applied > 0 ? { graph: equalized, figures: scaledFigures, moments: scaledMoments } : null;
}

/** The figures of x / s. */
export const scaleFigures = (figures: ChannelFigures, s: Float64Array): ChannelFigures => ({
  min: figures.min.map((value, c) => value / s[c]!),
  max: figures.max.map((value, c) => value / s[c]!),
  mean: figures.mean.map((value, c) => value / s[c]!),
  power: figures.power.map((value, c) => value / (s[c]! * s[c]!)),
});

function scaleReaders(graph: Graph, space: ChannelSpace, s: Float64Array, moments: Map<string, Moments>): void {
  for (const conv of space.consumers) {
    const found = moments.get(conv.name);
    if (!found) continue;
    const kernel = elementCount(graph.constantOf(conv, 1)!.dims.slice(2));
    const depthwise = isDepthwise(graph, conv);
    const divisors = Float64Array.from({ length: found.groups * found.size }, (_, at) => {
      const [group, k] = [Math.floor(at / found.size), at % found.size];
      return s[depthwise ? group : Math.floor(k / kernel)]!;
    });
    moments.set(conv.name, divideMoments(found, divisors));
  }
}

import type { Graph } from '../onnx/graph.js';
import { subgraphsOf } from '../onnx/node.js';
import { madeValues } from '../runtime/run-shapes.js';
import { floatValues } from './float-values.js';

/** Times as many values as a plan needs: with more, watching all of them would cost more than it can save. */
const AROUND_MAX = 1.75;
const ACTIVATIONS = new Set(['Relu', 'Clip']);

/**
 * The values that a calibration session returns. What a session returns changes what the runtime fuses, and so the last
 * bits of all of them: plans of one graph that watch the same values see the same numbers, whatever each needs of them.
 * In the graph's order: float values that some hardware quantizes, which is all but those that only an activation reads.
 * @param needed values of a plan; all of them are among the result
 */
export function valuesAround(graph: Graph, needed: ReadonlySet<string>): string[] {
  const nested = graph.nodes.some((node) => [...subgraphsOf(node)].length > 0);
  if (nested) return [...needed];
  const floats = floatValues(graph);
  const isActivated = (value: string): boolean => {
    const [reader, ...others] = graph.consumers(value);
    return reader !== undefined && others.length === 0 && ACTIVATIONS.has(reader.opType) && !graph.isOutput(value);
  };
  const candidates = [...graph.inputs.map(({ name }) => name), ...madeValues(graph)];
  const around = candidates.filter((value) => needed.has(value) || (floats.has(value) && !isActivated(value)));
  const rest = [...needed].filter((value) => !around.includes(value));
  return around.length > AROUND_MAX * needed.size ? [...needed] : [...around, ...rest];
}

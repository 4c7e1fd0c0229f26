import type { TensorSpec } from '@espalier/proto';
import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';

/** How the vendor's compiler is called on a build, and what its output is bound to. Lies beside the model as JSON. */
export interface BuildOptionsFile {
  readonly version: 1;
  readonly profile: string;
  readonly tool: string;
  readonly arguments: readonly string[];
  /** By name; null is read on the device. A compiled file or timing cache with another key is stale. */
  readonly cacheKey: Readonly<Record<string, string | null>>;
}

export const BUILD_OPTIONS = 'build-options.json';
/** Largest batch an engine with dynamic shapes is optimized for: what the agent joins at most. */
const BATCH_MAX = 8;

/** Null for a profile whose runtime takes the file as it is. Pure. */
export function buildOptionsFor(
  { id, compiler }: HardwareProfile,
  file: { readonly name: string; readonly sha256: string },
  inputs: readonly TensorSpec[],
): BuildOptionsFile | null {
  if (!compiler) return null;
  const fill = (text: string): string[] => {
    if (text === '{shapes}') return shapeOptions(inputs);
    const values: Record<string, string> = { model: file.name, name: file.name.replace(/\.\w+$/, ''), profile: id };
    return [text.replace(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole)];
  };
  return {
    version: 1,
    profile: id,
    tool: compiler.tool,
    arguments: compiler.arguments.flatMap(fill),
    cacheKey: Object.fromEntries(compiler.cacheKey.map((key) => [key, key === 'artifact' ? file.sha256 : null])),
  };
}

export const commandLine = ({ tool, arguments: given }: BuildOptionsFile): string => [tool, ...given].join(' ');

/** TensorRT's optimization profile, for inputs whose shape may vary.   [trtexec --help] */
function shapeOptions(inputs: readonly TensorSpec[]): string[] {
  const free = inputs.filter(({ shape }) => shape.some((dim) => typeof dim === 'string'));
  if (free.length === 0) return [];
  const option = (name: string, batch: number): string =>
    `--${name}=${free.map((one) => `${one.name}:${one.shape.map((dim) => (typeof dim === 'string' ? batch : dim)).join('x')}`).join(',')}`;
  return [option('minShapes', 1), option('optShapes', 1), option('maxShapes', BATCH_MAX)];
}

/** What a profile would rather have than operators that a model uses, as notes of the report. Pure. */
export const adviceFor = (graph: Graph, { id, advice }: HardwareProfile): string[] =>
  Object.entries(advice).flatMap(([op, text]) => {
    const nodes = graph.nodes.filter(({ opType, domain }) => domain === '' && opType === op);
    return nodes.length > 0 ? [`${nodes.length} x ${op} on ${id}: ${text}.`] : [];
  });

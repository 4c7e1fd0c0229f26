/** What trtexec is asked, and what it answers [NVIDIA TensorRT, sampleOptions and sampleReporting]. Pure. */

/** Names of the options that this trtexec knows, from its --help. Defaults have moved between versions: each is set by name. */
export const knownOptions = (help: string): ReadonlySet<string> =>
  new Set([...help.matchAll(/--([A-Za-z][A-Za-z0-9]*)/g)].map(([, name]) => name!));

/** The version in the line with which every run begins, such as 101300; null when there is none. */
export const versionOf = (output: string): string | null => /\[TensorRT v(\d+)\]/.exec(output)?.[1] ?? null;

const WORKSPACE_MB = 1024;
const WARM_MS = 200;

export interface Build {
  readonly onnx: string;
  readonly engine: string;
  readonly timingCache: string;
}

/** Builds an engine and runs nothing. */
export const buildArgs = (known: ReadonlySet<string>, { onnx, engine, timingCache }: Build): string[] => [
  ...[`--onnx=${onnx}`, `--saveEngine=${engine}`, `--timingCacheFile=${timingCache}`],
  known.has('memPoolSize') ? `--memPoolSize=workspace:${WORKSPACE_MB}` : `--workspace=${WORKSPACE_MB}`,
  known.has('skipInference') ? '--skipInference' : '--buildOnly',
  // Before networks were strongly typed, Q/DQ nodes asked for int8 only where it was allowed.
  ...(known.has('int8') && !known.has('noCudaGraph') ? ['--int8', '--fp16'] : []),
];

/** Measures an engine with transfers, without spinning and without CUDA graphs, whatever the defaults of the version. */
export const measureArgs = (known: ReadonlySet<string>, engine: string, seconds: number, times: string): string[] => [
  ...[`--loadEngine=${engine}`, `--warmUp=${WARM_MS}`, `--duration=${seconds}`, `--exportTimes=${times}`],
  ...['includeDataTransfers', 'noSpinWait', 'noCudaGraph'].filter((name) => known.has(name)).map((name) => `--${name}`),
];

/** Microseconds of each query, from what --exportTimes wrote. @throws when it is something else */
export function latenciesUs(exported: string): number[] {
  const rows: unknown = JSON.parse(exported);
  if (!Array.isArray(rows)) throw new Error('the exported times are no list');
  return rows.map((row: { readonly latencyMs?: unknown }) => {
    if (typeof row.latencyMs !== 'number') throw new Error('a row of the exported times has no latencyMs');
    return row.latencyMs * 1000;
  });
}

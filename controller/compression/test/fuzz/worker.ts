/** The process that tries mutated models, one after the other: reads, checks, rewrites, loads and builds each. */
import { rm } from 'node:fs/promises';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { inspectModel, readChecked } from '@espalier/compression/inspect';
import { cloneGraph, encodeModel, parseModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { verify } from '@espalier/compression/onnx/verify';
import { preparation, runPasses } from '@espalier/compression/passes/index';
import { buildVariant } from '@espalier/compression/recipe/build';
import { CodedError } from '@espalier/proto';

/** The next thing done with a model: the time of each is limited. */
export type Step = 'read' | 'rewrite' | 'inspect' | 'build';
export interface Task {
  readonly file: string;
  readonly outDir: string;
}
export type End =
  | { readonly end: 'ok' }
  | { readonly end: 'coded'; readonly code: string; readonly message: string }
  | { readonly end: 'crash'; readonly message: string; readonly isCoded: boolean };
export type FromWorker = { readonly step: Step } | End;

/** Another processor's, so that nothing is timed. */
const profile = profileById('arm64-neon', await loadProfiles());
const tell = (message: FromWorker): void => void process.send?.(message);

async function tryModel({ file, outDir }: Task): Promise<End> {
  try {
    tell({ step: 'read' });
    const graph = await readChecked(file);
    tell({ step: 'inspect' });
    const refused = await inspectModel(file).then(() => null, endOf);
    tell({ step: 'rewrite' });
    const rewritten = rewrite(graph);
    if (refused) return rewritten?.end === 'crash' && !rewritten.isCoded ? rewritten : refused;
    if (rewritten) return rewritten;
    tell({ step: 'build' });
    await buildVariant({
      modelPath: file,
      modelName: 'mutant',
      profile,
      recipe: 'int8',
      calibrate: 'random:2',
      evaluate: null,
      preprocess: null,
      outDir,
      // A build that gets on is slow, and does not hang.
      onProgress: () => tell({ step: 'build' }),
    });
    return { end: 'ok' };
  } catch (error) {
    return endOf(error);
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

/**
 * The passes, alone. They ask for a model that the runtime takes: on another one, a broken graph after a pass may be
 * the model's own fault that only then came to light. Null when all went well.
 */
function rewrite(graph: Graph): End | null {
  try {
    const prepared = cloneGraph(graph);
    runPasses(prepared, preparation);
    verify(parseModel(encodeModel(prepared)), 'writing');
    return null;
  } catch (error) {
    return endOf(error);
  }
}

/** An error without a code is a crash, and so is one that blames ourselves. */
function endOf(error: unknown): End {
  if (!(error instanceof CodedError)) {
    return { end: 'crash', message: (error as Error).stack ?? String(error), isCoded: false };
  }
  const { code, message, status } = error;
  return status < 500
    ? { end: 'coded', code, message }
    : { end: 'crash', message: `${code}: ${message}`, isCoded: true };
}

process.on('disconnect', () => process.exit(0));
process.on('message', (task: Task) => void tryModel(task).then(tell));

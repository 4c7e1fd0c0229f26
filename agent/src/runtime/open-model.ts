/** Which runtime opens a file. Only that one is loaded: a thread that runs an ONNX model starts in half the time. */
import path from 'node:path';
import type { SessionOptions } from '@espalier/proto';
import { isStaged } from './model-kind.js';
import type { Session, SessionFiles } from './session.js';

/** Engines and graphs that other runtimes compute, which the agent has no way to call. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ '.engine': 'TensorRT', '.plan': 'TensorRT', '.rknn': 'RKNN', '.hef': 'HailoRT' },
};

/** @throws ESP_RUNTIME_UNAVAILABLE, and what the runtime says of the file */
export async function openModel(file: string, options: SessionOptions, files: SessionFiles = {}): Promise<Session> {
  if (isStaged(file)) return (await import('./staged/open-staged.js')).openStaged(path.dirname(file), options);
  const kind = path.extname(file).toLowerCase();
  if (kind === '.tflite') return (await import('./litert/litert-session.js')).openLiteRt(file, options);
  const runtime = ELSEWHERE[kind];
  if (!runtime) return (await import('./onnx.js')).openSession(file, options, files);
  const { RuntimeUnavailable } = await import('../errors.js');
  throw RuntimeUnavailable({ runtime, cause: `the agent cannot serve ${kind} files` });
}

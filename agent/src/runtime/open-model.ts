/** Which runtime opens a file. */
import path from 'node:path';
import type { SessionOptions } from '@espalier/proto';
import { RuntimeUnavailable } from '../errors.js';
import { openLiteRt } from './litert/litert-session.js';
import { openSession } from './onnx.js';
import type { Session, SessionFiles } from './session.js';
import { openStaged } from './staged/open-staged.js';
import { isStaged } from './staged/staged-file.js';

/** Engines and graphs that other runtimes compute, which the agent has no way to call. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ '.engine': 'TensorRT', '.plan': 'TensorRT', '.rknn': 'RKNN', '.hef': 'HailoRT' },
};

/** @throws ESP_RUNTIME_UNAVAILABLE, and what the runtime says of the file */
export function openModel(file: string, options: SessionOptions, files: SessionFiles = {}): Session {
  if (isStaged(file)) return openStaged(path.dirname(file), options);
  const kind = path.extname(file).toLowerCase();
  if (kind === '.tflite') return openLiteRt(file, options);
  const runtime = ELSEWHERE[kind];
  if (runtime) throw RuntimeUnavailable({ runtime, cause: `the agent cannot serve ${kind} files` });
  return openSession(file, options, files);
}

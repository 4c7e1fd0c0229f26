/** Which runtime opens a file. */
import path from 'node:path';
import type { SessionOptions } from '@espalier/proto';
import { openSession } from './onnx.js';
import type { Session, SessionFiles } from './session.js';
import { openStaged } from './staged/open-staged.js';
import { isStaged } from './staged/staged-file.js';

/** @throws what the runtime says of the file */
export function openModel(file: string, options: SessionOptions, files: SessionFiles = {}): Session {
  return isStaged(file) ? openStaged(path.dirname(file), options) : openSession(file, options, files);
}

/** Tiny models as files, for programs that take one. */
import { writeFileSync } from 'node:fs';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { type TinyModel, tinyGraph } from '../../controller/compression/test/support/tiny.ts';

export { noise, type TinyModel } from '../../controller/compression/test/support/tiny.ts';

export function writeTinyModel(file: string, model: TinyModel): string {
  writeFileSync(file, encodeModel(tinyGraph(model)));
  return file;
}

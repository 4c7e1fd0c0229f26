import type { ModelView, UpdateModel } from '@espalier/proto/api';
import { change, upload } from '../../api/client';

const find = (files: readonly File[], pattern: RegExp): File | undefined =>
  files.find(({ name }) => pattern.test(name));

/** What came along with the model's file: its preprocessing record and the names of its classes, one a line. */
async function sidecars(files: readonly File[]): Promise<UpdateModel> {
  const record = find(files, /\.json$/i);
  const labels = find(files, /\.txt$/i);
  return {
    ...(record && { preprocess: JSON.parse(await record.text()) }),
    ...(labels && { labels: (await labels.text()).split(/\r?\n/).filter(Boolean) }),
  };
}

/**
 * Registers the ONNX file among the files, with what came along. Throws ApiFailure, and SyntaxError when the record is
 * no JSON, before anything is sent.
 */
export async function registerModel(files: readonly File[], onProgress: (share: number) => void): Promise<ModelView> {
  const file = find(files, /\.onnx$/i) ?? files[0];
  if (!file) throw new Error('no file');
  const extra = await sidecars(files.filter((one) => one !== file));
  const model = await upload<ModelView>('/models', { fileName: file.name }, file, onProgress);
  if (Object.keys(extra).length > 0) await change('PATCH', `/models/${model.id}`, extra);
  return model;
}

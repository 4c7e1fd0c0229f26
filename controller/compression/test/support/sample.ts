/** The sample model that comes with the project, and its data as SPECs. */
import path from 'node:path';

const folder = path.join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'sample');
const idx = (split: string): string =>
  `idx:${folder}/${split}-subset-images-idx3-ubyte.gz,${folder}/${split}-subset-labels-idx1-ubyte.gz`;

export const sample = {
  model: path.join(folder, 'fashion-ds.onnx'),
  calibrate: `${idx('train')}?to=256`,
  evaluate: `${idx('test')}?to=500`,
} as const;

import { DataUnreadable } from '../errors.js';
import { classesOf, type Dataset } from './content.js';
import { readData } from './file.js';
import { type DataSpec, selectRecords } from './spec.js';

/** An idx file of bytes: 0, 0, type 8, number of dimensions, the dimensions as big-endian int32, then the data. */
function parseIdx(spec: DataSpec, file: string, bytes: Buffer): { dims: number[]; data: Uint8Array } {
  const fail = (why: string) => DataUnreadable({ spec: spec.text, file, why });
  if (bytes.length < 8 || bytes.readUInt16BE(0) !== 0 || bytes[2] !== 8) throw fail('it is not an idx file of bytes');
  const rank = bytes[3]!;
  const start = 4 + 4 * rank;
  const dims = Array.from({ length: rank }, (_, at) => bytes.readUInt32BE(4 + 4 * at));
  const data = bytes.subarray(start);
  if (data.length !== dims.reduce((size, dim) => size * dim, 1)) throw fail('it is not as long as its header says');
  return { dims, data };
}

export async function openIdx(spec: DataSpec): Promise<Dataset> {
  const [imagesFile, labelsFile] = spec.target.split(',') as [string, string];
  const images = parseIdx(spec, imagesFile, await readData(spec, imagesFile));
  const all = parseIdx(spec, labelsFile, await readData(spec, labelsFile));
  const [count, height, width, channels = 1] = images.dims as [number, number, number, number?];
  if (all.dims[0] !== count) {
    throw DataUnreadable({ spec: spec.text, file: labelsFile, why: `${all.dims[0]} labels for ${count} images` });
  }
  const records = selectRecords(spec, count);
  const labels = Int32Array.from(records, (record) => all.data[record]!);
  const size = height * width * channels;
  return {
    spec: spec.text,
    n: records.length,
    labelled: true,
    classes: classesOf(labels),
    sampleShape: [height, width, channels],
    labels,
    async read(at) {
      const data = images.data.subarray(records[at]! * size, (records[at]! + 1) * size);
      return { kind: 'image', pixels: { data, width, height, channels } };
    },
  };
}

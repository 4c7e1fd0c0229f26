import { DataUnreadable } from '../errors.js';
import { classesOf, type Dataset } from './content.js';
import { readData } from './file.js';
import { type DataSpec, selectRecords } from './spec.js';

const SIDE = 32;
const AREA = SIDE * SIDE;
const RECORD = 1 + 3 * AREA;

/** CIFAR-10 binary: one label byte, then the planes R, G and B [cs.toronto.edu/~kriz/cifar.html]. */
export async function openCifar(spec: DataSpec): Promise<Dataset> {
  const bytes = await readData(spec, spec.target);
  if (bytes.length % RECORD !== 0) {
    throw DataUnreadable({ spec: spec.text, file: spec.target, why: `it is not made of records of ${RECORD} bytes` });
  }
  const records = selectRecords(spec, bytes.length / RECORD);
  const labels = Int32Array.from(records, (record) => bytes[record * RECORD]!);
  return {
    spec: spec.text,
    n: records.length,
    labelled: true,
    classes: classesOf(labels),
    sampleShape: [SIDE, SIDE, 3],
    labels,
    async read(at) {
      const start = records[at]! * RECORD + 1;
      const data = new Uint8Array(3 * AREA);
      for (let channel = 0; channel < 3; channel++) {
        for (let pixel = 0; pixel < AREA; pixel++) data[pixel * 3 + channel] = bytes[start + channel * AREA + pixel]!;
      }
      return { kind: 'image', pixels: { data, width: SIDE, height: SIDE, channels: 3 } };
    },
  };
}

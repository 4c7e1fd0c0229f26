import { DataUnreadable } from '../errors.js';
import { classesOf, type Dataset } from './content.js';
import { readData } from './file.js';
import { type DataSpec, selectRecords } from './spec.js';

const SHAPE = [49, 10];
const RECORD = 1 + 490;

/** MLPerf Tiny keyword spotting: one label byte, then 49 frames of 10 int8 cepstral coefficients. */
export async function openKws(spec: DataSpec): Promise<Dataset> {
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
    sampleShape: SHAPE,
    labels,
    async read(at) {
      const start = records[at]! * RECORD + 1;
      return {
        kind: 'stored',
        values: Int8Array.from(bytes.subarray(start, start + RECORD - 1), (v) => (v << 24) >> 24),
      };
    },
  };
}

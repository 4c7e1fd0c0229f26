import { DataUnreadable } from '../errors.js';
import { type Content, classesOf, type Dataset } from './content.js';
import { readData, readStart } from './file.js';
import { type DataSpec, selectRecords } from './spec.js';

export interface RecordFormat {
  /** Bytes of a record after its label. */
  readonly contentBytes: number;
  readonly sampleShape: number[];
  /** @param content the record's bytes after its label */
  decode(content: Uint8Array): Content;
}

/**
 * Files of records of one length, each a label byte and its content; several, joined by commas, are one after the other.
 * @throws ESP_DATA_UNREADABLE
 */
export async function openRecords(spec: DataSpec, format: RecordFormat): Promise<Dataset> {
  const length = 1 + format.contentBytes;
  const parts: Uint8Array[] = [];
  const files = spec.target.split(',');
  for (const file of files) {
    const isPart = files.length === 1 && Number.isFinite(spec.to);
    const part = await (isPart ? readStart(spec, file, spec.to * length) : readData(spec, file));
    if (part.length % length !== 0) {
      throw DataUnreadable({ spec: spec.text, file, why: `it is not made of records of ${length} bytes` });
    }
    parts.push(part);
  }
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  const records = selectRecords(spec, bytes.length / length);
  const kept = records.map((record) => bytes.subarray(record * length, (record + 1) * length));
  // A few records of a large file do not hold on to the rest of it.
  const own = records.length * length < bytes.length / 2 ? kept.map((record) => Buffer.from(record)) : kept;
  const labels = Int32Array.from(own, (record) => record[0]!);
  return {
    spec: spec.text,
    n: records.length,
    labelled: true,
    classes: classesOf(labels),
    sampleShape: format.sampleShape,
    labels,
    async read(at) {
      return format.decode(own[at]!.subarray(1));
    },
  };
}

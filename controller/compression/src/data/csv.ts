import path from 'node:path';
import { DataUnreadable } from '../errors.js';
import { classesOf, type Dataset } from './content.js';
import { readData } from './file.js';
import { readImage } from './image-file.js';
import { type DataSpec, selectRecords } from './spec.js';

/** The fields of one line; a field in quotes may hold commas and doubled quotes [RFC 4180, 2]. */
export function splitCsvLine(line: string): string[] {
  const fields: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    fields.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
  }
  return fields;
}

interface Row {
  readonly file: string;
  readonly label: number | null;
}

function parseRows(spec: DataSpec, text: string): Row[] {
  const [head = '', ...lines] = text.split(/\r?\n/).filter((line) => line.trim());
  const columns = splitCsvLine(head);
  const file = columns.findIndex((name) => name === 'file' || name === 'image');
  const label = columns.indexOf('label');
  if (file < 0) throw DataUnreadable({ spec: spec.text, file: spec.target, why: 'it has no column "file" or "image"' });
  const rows = lines.map((line) => {
    const fields = splitCsvLine(line);
    const value = label < 0 ? '' : (fields[label] ?? '');
    if (value !== '' && !/^\d+$/.test(value)) {
      throw DataUnreadable({ spec: spec.text, file: spec.target, why: `label "${value}" is not a class number` });
    }
    return { file: fields[file] ?? '', label: value === '' ? null : Number(value) };
  });
  return rows.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** A table of image files and labels; the order of the records is that of the file names. */
export async function openCsv(spec: DataSpec): Promise<Dataset> {
  const rows = parseRows(spec, (await readData(spec, spec.target)).toString('utf8'));
  const folder = spec.images ?? path.dirname(spec.target);
  const taken = selectRecords(spec, rows.length).map((record) => rows[record]!);
  const labelled = taken.length > 0 && taken.every((row) => row.label !== null);
  const labels = labelled ? Int32Array.from(taken, (row) => row.label!) : null;
  const read = (at: number) => readImage(spec, path.join(folder, taken[at]!.file));
  const first = taken.length > 0 ? await read(0) : null;
  const pixels = first?.pixels;
  return {
    spec: spec.text,
    n: taken.length,
    labelled,
    classes: labels && classesOf(labels),
    sampleShape: pixels ? [pixels.height, pixels.width, pixels.channels] : [],
    labels,
    read,
  };
}

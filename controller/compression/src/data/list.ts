import { DataUnreadable } from '../errors.js';
import { classesOf, type Dataset } from './content.js';
import { readData } from './file.js';
import { type DataSpec, selectRecords } from './spec.js';

/**
 * A text file with one SPEC a line: their samples one after the other, of whatever kinds they are. They are labelled when
 * all of them are. A list in a list is refused.
 * @throws ESP_DATA_UNREADABLE, and what the SPECs of the lines throw
 */
export async function openList(spec: DataSpec, open: (text: string) => Promise<Dataset>): Promise<Dataset> {
  const lines = (await readData(spec, spec.target)).toString('utf8').split(/\r?\n/);
  const specs = lines.map((line) => line.trim()).filter((line) => line !== '');
  const fail = (why: string) => DataUnreadable({ spec: spec.text, file: spec.target, why });
  if (specs.length === 0) throw fail('it names no SPEC');
  if (specs.some((one) => one.startsWith('list:'))) throw fail('it names another list');
  const parts: Dataset[] = [];
  for (const one of specs) parts.push(await open(one));
  const places = parts.flatMap((part) => Array.from({ length: part.n }, (_, at) => ({ part, at })));
  const taken = selectRecords(spec, places.length).map((record) => places[record]!);
  const labelled = parts.every((part) => part.labels !== null);
  const labels = labelled ? Int32Array.from(taken, ({ part, at }) => part.labels![at]!) : null;
  return {
    ...{ spec: spec.text, n: taken.length, labelled, labels, classes: labels && classesOf(labels) },
    sampleShape: parts[0]!.sampleShape,
    read: (record) => taken[record]!.part.read(taken[record]!.at),
  };
}

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { DataUnreadable } from '../errors.js';
import { classesOf, type Dataset } from './content.js';
import { readData } from './file.js';
import { type DataSpec, selectRecords } from './spec.js';

const READERS: Readonly<Record<string, (bytes: ArrayBuffer) => ArrayLike<number | bigint>>> = {
  '<f4': (bytes) => new Float32Array(bytes),
  '<f8': (bytes) => new Float64Array(bytes),
  '|i1': (bytes) => new Int8Array(bytes),
  '|u1': (bytes) => new Uint8Array(bytes),
  '<i4': (bytes) => new Int32Array(bytes),
  '<i8': (bytes) => new BigInt64Array(bytes),
};

/** The .npy format, versions 1 and 2, row-major [numpy.lib.format]. Values come as float32. */
function parseNpy(spec: DataSpec, file: string, bytes: Buffer): { shape: number[]; data: Float32Array } {
  const fail = (why: string) => DataUnreadable({ spec: spec.text, file, why });
  if (bytes.subarray(0, 6).toString('latin1') !== '\x93NUMPY') throw fail('it is not an .npy file');
  const wide = bytes[6]! >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  const header = bytes.subarray(start, end).toString('latin1');
  const type = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? '';
  const shape =
    /'shape':\s*\(([^)]*)\)/
      .exec(header)?.[1]
      ?.split(',')
      .filter((dim) => dim.trim())
      .map(Number) ?? [];
  if (/'fortran_order':\s*True/.test(header)) throw fail('it is stored column by column');
  const reader = READERS[type];
  if (!reader) throw fail(`its type ${type} is not read`);
  const data = Float32Array.from(reader(new Uint8Array(bytes.subarray(end)).buffer) as ArrayLike<number>, Number);
  if (data.length !== shape.reduce((size, dim) => size * dim, 1)) throw fail('it is not as long as its header says');
  return { shape, data };
}

/** A folder with one `INPUT.npy` for each input of the model, samples along axis 0, and optionally `labels.npy`. */
export async function openNpy(spec: DataSpec): Promise<Dataset> {
  const names = await readdir(spec.target).catch((error: NodeJS.ErrnoException) => {
    throw DataUnreadable({ spec: spec.text, file: spec.target, why: error.code ?? error.message });
  });
  const arrays = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const name of names.filter((one) => /\.npy(\.gz)?$/.test(one)).sort()) {
    const file = path.join(spec.target, name);
    arrays.set(name.replace(/\.npy(\.gz)?$/, ''), parseNpy(spec, file, await readData(spec, file)));
  }
  const stored = arrays.get('labels');
  arrays.delete('labels');
  const [first] = arrays.values();
  if (!first) throw DataUnreadable({ spec: spec.text, file: spec.target, why: 'it holds no .npy file' });
  const records = selectRecords(spec, first.shape[0] ?? 0);
  const shapes = Object.fromEntries([...arrays].map(([name, { shape }]) => [name, shape.slice(1)]));
  const labels = stored ? Int32Array.from(records, (record) => stored.data[record]!) : null;
  return {
    spec: spec.text,
    n: records.length,
    labelled: labels !== null,
    classes: labels && classesOf(labels),
    sampleShape: first.shape.slice(1),
    labels,
    async read(at) {
      const inputs: Record<string, Float32Array> = {};
      for (const [name, { shape, data }] of arrays) {
        const size = data.length / shape[0]!;
        inputs[name] = data.subarray(records[at]! * size, (records[at]! + 1) * size);
      }
      return { kind: 'inputs', inputs, shapes };
    },
  };
}

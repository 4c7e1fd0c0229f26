/** A training on disk: the model as it stands after an epoch and what the optimizer remembers. Written whole or not. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { encodeModel, parseModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { bytesOf } from '../onnx/tensor.js';
import type { LossScaleState } from './half.js';

export interface EpochRecord {
  readonly stage: string;
  readonly epoch: number;
  /** Mean over the epoch's steps. */
  readonly loss: number;
  readonly seconds: number;
}

export interface Checkpoint {
  /** Of everything that the result depends on; a checkpoint of another training is not used. */
  readonly key: string;
  /** The epoch to go on with. */
  readonly stage: number;
  readonly epoch: number;
  readonly history: readonly EpochRecord[];
  readonly graph: Graph;
  readonly optimizer: { readonly steps: number; readonly first: Float32Array; readonly second: Float32Array };
  /** The averaged weights; empty without an average. */
  readonly averaged: Float32Array;
  /** Null in full precision. */
  readonly lossScale: LossScaleState | null;
}

type Header = Pick<Checkpoint, 'key' | 'stage' | 'epoch' | 'history' | 'lossScale'> & {
  steps: number;
  lengths: number[];
};
/** Bytes of the number that says how long the header is. */
const PREFIX_BYTES = 8;

export async function writeCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  const { key, stage, epoch, history, graph, optimizer, averaged, lossScale } = checkpoint;
  const parts = [encodeModel(graph), ...[optimizer.first, optimizer.second, averaged].map(bytesOf)];
  const lengths = parts.map(({ length }) => length);
  const header: Header = { key, stage, epoch, history, lossScale, steps: optimizer.steps, lengths };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const partial = `${file}.partial`;
  try {
    await writeFile(partial, Buffer.concat([prefix, text, ...parts]));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** The checkpoint of the training with this key; null when there is none, or it cannot be read. */
export async function readCheckpoint(file: string, key: string): Promise<Checkpoint | null> {
  const bytes = await readFile(file).catch(() => null);
  if (!bytes || bytes.length < PREFIX_BYTES) return null;
  const start = PREFIX_BYTES + Number(bytes.readBigUInt64LE());
  let header: Header;
  try {
    header = JSON.parse(bytes.subarray(PREFIX_BYTES, start).toString()) as Header;
  } catch {
    return null;
  }
  const { lengths, steps, stage, epoch, history, lossScale } = header;
  if (header.key !== key || bytes.length !== lengths.reduce((sum, length) => sum + length, start)) return null;
  let end = start;
  const parts = lengths.map((length) => {
    end += length;
    return new Uint8Array(bytes.subarray(end - length, end));
  });
  const [first, second, averaged] = parts.slice(1).map(({ buffer }) => new Float32Array(buffer)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const graph = parseModel(parts[0]!, file);
  return { key, stage, epoch, history, graph, optimizer: { steps, first, second }, averaged, lossScale };
}

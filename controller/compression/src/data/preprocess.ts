import { readFile } from 'node:fs/promises';
import { create } from '@bufbuild/protobuf';
import { Preprocess } from '@espalier/proto';
import { PreprocessInvalid } from '../errors.js';
import { StringStringEntryProtoSchema } from '../onnx/gen/onnx_pb.js';
import type { Graph } from '../onnx/graph.js';

/** ONNX metadata keys of our own. */
const PREPROCESS_KEY = 'espalier.preprocess';
const LABEL_KEYS = ['espalier.labels', 'labels'];

/** A record and where it was found; `source` null when there is none and the input goes in as it is. */
export interface FoundPreprocess {
  readonly record: Preprocess | null;
  readonly source: string | null;
}

function parse(text: string, source: string): Preprocess {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw PreprocessInvalid({ source, why: (error as Error).message }, { cause: error });
  }
  const parsed = Preprocess.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw PreprocessInvalid({ source, why: `${issue.path.join('.')}: ${issue.message}` });
}

export async function readPreprocess(file: string): Promise<Preprocess> {
  try {
    return parse(await readFile(file, 'utf8'), file);
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw PreprocessInvalid({ source: file, why: error.message }, { cause: error });
  }
}

export function metadataOf(graph: Graph, key: string): string | null {
  return graph.shell.metadataProps.find((entry) => entry.key === key)?.value ?? null;
}

/** Stores a record in the model's metadata, so that the file says by itself how it is fed. */
export function writePreprocess(graph: Graph, record: Preprocess): void {
  const others = graph.shell.metadataProps.filter((entry) => entry.key !== PREPROCESS_KEY);
  const entry = create(StringStringEntryProtoSchema, { key: PREPROCESS_KEY, value: JSON.stringify(record) });
  graph.shell.metadataProps = [...others, entry];
}

/**
 * The record of a model: the file given, else MODEL.preprocess.json beside the model, else the metadata key
 * `espalier.preprocess`. Throws ESP_PREPROCESS_INVALID.
 */
export async function findPreprocess(modelPath: string, graph: Graph, given?: string | null): Promise<FoundPreprocess> {
  if (given) return { record: await readPreprocess(given), source: given };
  const beside = `${modelPath.replace(/\.onnx$/i, '')}.preprocess.json`;
  const text = await readFile(beside, 'utf8').catch(() => null);
  if (text !== null) return { record: parse(text, beside), source: beside };
  const inside = metadataOf(graph, PREPROCESS_KEY);
  if (inside !== null) return { record: parse(inside, `metadata ${PREPROCESS_KEY}`), source: 'the model' };
  return { record: null, source: null };
}

/** Class names in the model's metadata: a JSON list, or one name a line or comma; null without. */
export function labelsOf(graph: Graph): string[] | null {
  for (const key of LABEL_KEYS) {
    const text = metadataOf(graph, key);
    if (text === null) continue;
    try {
      const value: unknown = JSON.parse(text);
      if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    } catch {
      // Not JSON: a plain list.
      return text.split(/[\n,]/).map((name) => name.trim());
    }
  }
  return null;
}

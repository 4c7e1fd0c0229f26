import { SpecInvalid } from '../errors.js';

const KINDS = ['cifar10', 'idx', 'csv', 'coco', 'kws', 'npy', 'list', 'random'] as const;
export type DataKind = (typeof KINDS)[number];

/** A parsed data SPEC: which records of which files. */
export interface DataSpec {
  readonly text: string;
  readonly kind: DataKind;
  /** What stands between the kind and `?`: a path, two paths, or a count. */
  readonly target: string;
  /** Folder of the images of a csv or coco file; null for the folder of the file. */
  readonly images: string | null;
  readonly from: number;
  readonly to: number;
  readonly every: number | null;
  readonly notEvery: number | null;
}

const OPTIONS = ['from', 'to', 'every', 'not-every', 'images'];

/**
 * Parses `kind:target?options`. `from` and `to` take a half-open range of the records; `every=K` takes each K-th of
 * the range, counted from 0 over the whole file, `not-every=K` the others. Throws ESP_DATA_SPEC_INVALID.
 */
export function parseSpec(text: string): DataSpec {
  const fail = (why: string) => SpecInvalid({ spec: text, why });
  const colon = text.indexOf(':');
  const kind = KINDS.find((one) => one === text.slice(0, Math.max(colon, 0)));
  if (!kind) throw fail(`it does not start with one of ${KINDS.map((one) => `${one}:`).join(' ')}`);
  const question = text.indexOf('?', colon);
  const target = text.slice(colon + 1, question < 0 ? undefined : question);
  if (!target) throw fail(`nothing stands after ${kind}:`);
  if (kind === 'idx' && target.split(',').length !== 2) throw fail('idx: takes two files, IMAGES,LABELS');
  if (kind === 'random' && !/^[1-9]\d*$/.test(target)) throw fail('random: takes a count');
  const options = new URLSearchParams(question < 0 ? '' : text.slice(question + 1));
  for (const key of options.keys()) if (!OPTIONS.includes(key)) throw fail(`it has no option ${key}`);
  const whole = (key: string, min: number): number | null => {
    const value = options.get(key);
    if (value === null) return null;
    if (!/^\d+$/.test(value) || Number(value) < min) throw fail(`${key} is not a whole number from ${min}`);
    return Number(value);
  };
  const [from, to] = [whole('from', 0) ?? 0, whole('to', 1) ?? Number.POSITIVE_INFINITY];
  const [every, notEvery] = [whole('every', 1), whole('not-every', 2)];
  if (from >= to) throw fail('from is not below to');
  if (every !== null && notEvery !== null) throw fail('every and not-every exclude each other');
  if (options.has('images') && kind !== 'csv' && kind !== 'coco') throw fail('images belongs to csv: and coco:');
  return { text, kind, target, images: options.get('images'), from, to, every, notEvery };
}

/** Numbers of the records a SPEC takes of `count`, in order. */
export function selectRecords({ from, to, every, notEvery }: DataSpec, count: number): number[] {
  const taken: number[] = [];
  for (let at = from; at < Math.min(to, count); at++) {
    if (every !== null && at % every !== 0) continue;
    if (notEvery !== null && at % notEvery === 0) continue;
    taken.push(at);
  }
  return taken;
}

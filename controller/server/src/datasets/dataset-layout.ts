import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatasetLayout } from '../common/errors.js';

/** The SPECs of an uploaded set: even records calibrate, odd ones evaluate, so that both see every class. */
export interface SplitSpec {
  readonly calibrate: string;
  readonly evaluate: string;
}

const split = (base: string): SplitSpec => {
  const join = base.includes('?') ? '&' : '?';
  return { calibrate: `${base}${join}every=2`, evaluate: `${base}${join}not-every=2` };
};

/**
 * Finds out what an unpacked archive is: images with a labels.csv, or an idx pair.
 * @param files relative paths below `folder`
 */
export function findLayout(folder: string, files: readonly string[]): SplitSpec {
  const csv = files.find((file) => path.posix.basename(file).toLowerCase() === 'labels.csv');
  if (csv) return split(`csv:${path.join(folder, csv)}${imagesOption(folder, csv)}`);
  const images = files.find((file) => /images.*idx3|idx3-ubyte/i.test(file) || /images/i.test(idxName(file)));
  const labels = files.find((file) => /labels.*idx1|idx1-ubyte/i.test(file) || /labels/i.test(idxName(file)));
  if (images && labels && images !== labels) {
    return split(`idx:${path.join(folder, images)},${path.join(folder, labels)}`);
  }
  throw DatasetLayout({ files: files.slice(0, 5).join(', ') || 'nothing' });
}

/** The base name of a file that can be idx by its suffix, or nothing. */
const idxName = (file: string): string => (/\.idx(\.gz)?$/i.test(file) ? path.posix.basename(file) : '');

/** `?images=` when the files named in the csv lie in `images/` beside it and not beside the csv itself. */
function imagesOption(folder: string, csv: string): string {
  const home = path.join(folder, path.dirname(csv));
  const [head = '', first = ''] = readFileSync(path.join(folder, csv), 'utf8').slice(0, 65_536).split(/\r?\n/);
  const columns = head.split(',').map((name) => name.trim().toLowerCase());
  const column = columns.findIndex((name) => name === 'file' || name === 'image');
  const name = first.split(',')[column]?.trim().replace(/^"|"$/g, '');
  if (!name) throw DatasetLayout({ files: `${csv} without a column "file" or "image"` });
  if (existsSync(path.join(home, name))) return '';
  const images = path.join(home, 'images');
  if (existsSync(path.join(images, name))) return `?images=${encodeURIComponent(images)}`;
  throw DatasetLayout({ files: `${csv}, which names ${name}, which is not there` });
}

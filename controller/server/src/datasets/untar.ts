import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import { DatasetUnsafe } from '../common/errors.js';
import { entryPath } from './entry-path.js';
import { ExtractCount, type ExtractLimits } from './extract-limit.js';

const BLOCK = 512;

interface Header {
  readonly name: string;
  readonly bytes: number;
  readonly type: string;
}

/** A ustar header block [POSIX pax, ustar interchange format]; null for the zero block that ends an archive. */
function readHeader(block: Buffer): Header | null {
  if (block.every((byte) => byte === 0)) return null;
  const text = (from: number, length: number): string =>
    block
      .subarray(from, from + length)
      .toString('utf8')
      .replace(/\0.*$/s, '');
  const bytes = Number.parseInt(text(124, 12).trim() || '0', 8);
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw DatasetUnsafe({ entry: text(0, 100), reason: 'has no valid size' });
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
  return { name: prefix ? `${prefix}/${text(0, 100)}` : text(0, 100), bytes, type: text(156, 1) || '0' };
}

/** The `path` of a pax extended header: records of "length key=value\n". */
function paxPath(body: Buffer): string | null {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(body.toString('utf8'))?.[1] ?? null;
}

/** What the next bytes are for. */
interface Current {
  readonly header: Header;
  readonly file: FileHandle | null;
  /** Body kept in memory: long names only. */
  readonly kept: Buffer[] | null;
  left: number;
  padding: number;
}

/** Long names are kept in memory, so they have a limit of their own. */
const NAME_BYTES_MAX = 64 * 1024;

/**
 * Unpacks a .tar.gz below `into`. Only regular files; links and devices are refused, since a link could lead out.
 * @returns the relative paths written
 */
export async function untar(
  archive: string,
  into: string,
  limits: ExtractLimits,
  signal?: AbortSignal,
): Promise<string[]> {
  const count = new ExtractCount(limits);
  const written: string[] = [];
  let longName: string | null = null;

  const begin = async (header: Header): Promise<Current> => {
    const padding = (BLOCK - (header.bytes % BLOCK)) % BLOCK;
    const base = { header, left: header.bytes, padding };
    if (header.type === 'L' || header.type === 'x' || header.type === 'g') {
      if (header.bytes > NAME_BYTES_MAX)
        throw DatasetUnsafe({ entry: header.name, reason: 'has a header that is too long' });
      return { ...base, file: null, kept: [] };
    }
    const name = longName ?? header.name;
    longName = null;
    if (header.type === '5') return { ...base, file: null, kept: null };
    if (header.type !== '0' && header.type !== '7') throw DatasetUnsafe({ entry: name, reason: 'is not a plain file' });
    const relative = entryPath(name);
    if (!relative) return { ...base, file: null, kept: null };
    count.file();
    const target = path.join(into, relative);
    await mkdir(path.dirname(target), { recursive: true });
    written.push(relative);
    return { ...base, file: await open(target, 'wx', 0o600), kept: null };
  };
  const finish = async (current: Current): Promise<void> => {
    await current.file?.close();
    if (current.header.type === 'L') longName = Buffer.concat(current.kept!).toString('utf8').replace(/\0+$/, '');
    else if (current.header.type === 'x') longName = paxPath(Buffer.concat(current.kept!));
  };

  let current: Current | null = null;
  let rest: Buffer = Buffer.alloc(0);
  const stream = createReadStream(archive).pipe(createGunzip());
  signal?.addEventListener('abort', () => stream.destroy(signal.reason as Error), { once: true });
  try {
    for await (const chunk of stream) {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      for (;;) {
        if (!current) {
          if (rest.length < BLOCK) break;
          const header = readHeader(rest.subarray(0, BLOCK));
          rest = rest.subarray(BLOCK);
          if (!header) continue;
          current = await begin(header);
        }
        const part = rest.subarray(0, current.left);
        if (part.length > 0) {
          count.bytes(current.file ? part.length : 0, current.header.bytes - current.left + part.length);
          await current.file?.write(part);
          current.kept?.push(Buffer.from(part));
          current.left -= part.length;
          rest = rest.subarray(part.length);
        }
        if (current.left > 0) break;
        const skipped = Math.min(current.padding, rest.length);
        current.padding -= skipped;
        rest = rest.subarray(skipped);
        if (current.padding > 0) break;
        await finish(current);
        current = null;
      }
    }
    if (current) throw DatasetUnsafe({ entry: current.header.name, reason: 'is cut off' });
  } finally {
    await current?.file?.close().catch(() => undefined);
  }
  return written;
}

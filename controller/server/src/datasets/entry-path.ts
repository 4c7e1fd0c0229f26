import { DatasetUnsafe } from '../common/errors.js';

/** Longest path of an entry; longer ones are an attack or a mistake. */
const PATH_MAX = 512;

/**
 * The path of an archive entry below the folder it is extracted to, or null for what is left out (folders, the junk of
 * macOS, hidden files). Throws ESP_DATASET_UNSAFE for a path that could leave the folder, whatever the system.
 */
export function entryPath(name: string): string | null {
  const plain = name.replaceAll('\\', '/');
  if (/^\/|^[a-z]:|\0/i.test(plain)) throw DatasetUnsafe({ entry: name, reason: 'is an absolute path' });
  const parts = plain.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw DatasetUnsafe({ entry: name, reason: 'leaves its folder' });
  if (plain.length > PATH_MAX) throw DatasetUnsafe({ entry: name.slice(0, 80), reason: 'has a path that is too long' });
  if (parts.length === 0 || plain.endsWith('/')) return null;
  if (parts.some((part) => part.startsWith('.') || part === '__MACOSX')) return null;
  return parts.join('/');
}

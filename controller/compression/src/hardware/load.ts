import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { ProfileInvalid, ProfileUnknown } from '../errors.js';
import { contradiction } from './contradiction.js';
import { HardwareProfile, PROFILE_DEFAULTS } from './profile.js';

/** The profiles that come with Espalier. */
const OWN = path.join(import.meta.dirname, '..', '..', 'profiles');

interface Source {
  readonly file: string;
  readonly text: Record<string, unknown>;
}

/**
 * Reads every profile of the package and of extra folders, with `extends` resolved; a later folder replaces a profile
 * of the same id. Sorted by id. Throws ESP_PROFILE_INVALID with the file and the field.
 */
export async function loadProfiles(extraDirs: readonly string[] = []): Promise<HardwareProfile[]> {
  const sources = new Map<string, Source>();
  for (const folder of [OWN, ...extraDirs]) {
    for (const name of (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort()) {
      const file = path.join(folder, name);
      const source = { file, text: parseFile(file, await readFile(file, 'utf8')) };
      sources.set(String(source.text.id), source);
    }
  }
  return [...sources.keys()].sort().map((id) => resolve(id, sources, []));
}

function parseFile(file: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = parse(text);
    if (typeof value === 'object' && value !== null && 'id' in value) return value as Record<string, unknown>;
  } catch (error) {
    throw ProfileInvalid({ file, why: (error as Error).message }, { cause: error });
  }
  throw ProfileInvalid({ file, why: 'it has no id' });
}

/** The parent's fields with the child's on top; sections merge field by field, lists are replaced. */
function resolve(id: string, sources: ReadonlyMap<string, Source>, below: readonly string[]): HardwareProfile {
  const source = sources.get(id)!;
  const parent = typeof source.text.extends === 'string' ? source.text.extends : null;
  let base: Record<string, unknown> = {};
  if (parent !== null) {
    if ([...below, id].includes(parent))
      throw ProfileInvalid({ file: source.file, why: `it extends itself by ${parent}` });
    if (!sources.has(parent))
      throw ProfileInvalid({ file: source.file, why: `it extends ${parent}, which is unknown` });
    base = resolve(parent, sources, [...below, id]);
  }
  const merged = { ...PROFILE_DEFAULTS, ...merge(base, source.text), extends: parent };
  const parsed = HardwareProfile.safeParse(merged);
  if (parsed.success) {
    const why = contradiction(parsed.data);
    if (why) throw ProfileInvalid({ file: source.file, why });
    return parsed.data;
  }
  const issue = parsed.error.issues[0]!;
  throw ProfileInvalid({ file: source.file, why: `${issue.path.join('.')}: ${issue.message}` });
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const under = merged[key];
    merged[key] = isSection(under) && isSection(value) ? { ...under, ...value } : value;
  }
  return merged;
}

/** The profile of this id. Throws ESP_PROFILE_UNKNOWN. */
export function profileById(id: string, profiles: readonly HardwareProfile[]): HardwareProfile {
  const found = profiles.find((profile) => profile.id === id);
  if (!found) throw ProfileUnknown({ profile: id, known: profiles.map((profile) => profile.id).join(', ') });
  return found;
}

/** Every fact of every profile says where it comes from, in the file that states it. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadProfiles } from '@espalier/compression/hardware/load';
import t from 'tap';
import { parse } from 'yaml';

const folder = path.join(import.meta.dirname, '..', '..', 'profiles');
const profiles = await loadProfiles();
const resolved = new Map(profiles.map((profile) => [profile.id, profile]));
const IDENTITY = new Set(['id', 'extends', 'title', 'evidence', 'latencyTable']);
/** Sections whose fields are facts of their own. */
const SPLIT = new Set(['match', 'fusion']);

type Section = Record<string, unknown>;

const factsOf = (profile: Section): string[] =>
  Object.entries(profile)
    .filter(([section]) => !IDENTITY.has(section))
    .flatMap(([section, value]) =>
      SPLIT.has(section) ? Object.keys(value as Section).map((field) => `${section}.${field}`) : [section],
    );

/** A fact is covered by its own evidence, by that of its section, or by that of each of its parts. */
const isCovered = (fact: string, evidence: readonly string[]): boolean =>
  evidence.some((key) => key === fact || fact.startsWith(`${key}.`) || key.startsWith(`${fact}.`));

for (const name of readdirSync(folder)) {
  t.test(`${name}: every fact has evidence with a kind, and all evidence is for a fact`, async (t) => {
    const profile = parse(readFileSync(path.join(folder, name), 'utf8')) as Section;
    t.equal(`${profile.id}.yaml`, name);
    const evidence = Object.entries(profile.evidence as Section);
    const keys = evidence.map(([key]) => key);
    // A condition of the parent (arch) is not stated again with the one that is added.
    for (const fact of factsOf(profile)) {
      t.ok(isCovered(fact, keys) || (fact === 'match.arch' && keys.some((key) => key.startsWith('match'))), fact);
    }
    for (const [key, { kind, text }] of evidence as [string, { kind: string; text: string }][]) {
      t.ok(kind && text, `${key} has a kind and a text`);
      const [section, ...rest] = key.split('.');
      const whole: Section = resolved.get(String(profile.id))!;
      const found = rest.reduce<unknown>((value, part) => (value as Section)?.[part], whole[section!]);
      t.not(found, undefined, `${key} is a fact`);
    }
  });
}

t.test('a build for a compiler has what the compiler needs', async (t) => {
  for (const { id, outputs, shapes, compiler, oracle } of profiles) {
    t.ok(outputs.length > 0, id);
    if (compiler) t.ok(compiler.cacheKey.includes('artifact'), `${id}: a compiled file is bound to its artifact`);
    if (oracle.tool === 'vela' || oracle.tool === 'rknn') t.equal(shapes.batch, 1, `${id}: the compiler wants a batch`);
  }
});

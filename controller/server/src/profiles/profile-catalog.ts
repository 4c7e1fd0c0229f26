import { type HardwareProfile, loadProfiles, matchProfile } from '@espalier/compression';
import type { Facts } from '@espalier/proto';
import type { ProfileView } from '@espalier/proto/api';
import { NotFound } from '../common/errors.js';

/** The hardware profiles, read once at start. Matching is the compression library's; the agent has no say in it. */
export class ProfileCatalog {
  private constructor(private readonly profiles: readonly HardwareProfile[]) {}

  static async open(): Promise<ProfileCatalog> {
    return new ProfileCatalog(await loadProfiles());
  }

  /** The most specific profile that fits, and the facts that made it fit, in words. */
  match(facts: Facts): { profile: string; matched: string[] } | null {
    const found = matchProfile(facts, this.profiles);
    return found ? { profile: found.profile.id, matched: found.matched } : null;
  }

  views(devices: ReadonlyMap<string, number>): ProfileView[] {
    return this.profiles.map((profile) => toView(profile, devices.get(profile.id) ?? 0));
  }

  /** @throws ESP_NOT_FOUND */
  view(id: string, devices: ReadonlyMap<string, number>): ProfileView {
    const profile = this.profiles.find((candidate) => candidate.id === id);
    if (!profile) throw NotFound({ what: 'hardware profile', id });
    return toView(profile, devices.get(id) ?? 0);
  }
}

function toView(profile: HardwareProfile, devices: number): ProfileView {
  const { evidence, ...definition } = profile as HardwareProfile & Record<string, unknown>;
  return {
    id: profile.id,
    title: profile.title,
    extends: (profile as { extends?: string | null }).extends ?? null,
    devices,
    rules: rulesOf(definition, (evidence ?? {}) as Record<string, unknown>),
    definition,
  };
}

/** Each part of the definition as a line of text with where it is known from. */
function rulesOf(definition: Record<string, unknown>, evidence: Record<string, unknown>): ProfileView['rules'] {
  const skipped = new Set(['id', 'title', 'extends', 'match']);
  return Object.entries(definition)
    .filter(([topic, value]) => !skipped.has(topic) && value !== null && value !== undefined)
    .map(([topic, value]) => ({ topic, text: inWords(value), evidence: evidenceOf(topic, evidence) }))
    .filter(({ text }) => text !== '');
}

/** What is known of a section and of its fields: "measured: ...; float: source: ...". */
function evidenceOf(topic: string, evidence: Record<string, unknown>): string {
  const found = Object.entries(evidence).flatMap(([path, from]) => {
    if (path !== topic && !path.startsWith(`${topic}.`)) return [];
    const field = path === topic ? '' : `${path.slice(topic.length + 1)}: `;
    const { kind, text } = from as { kind?: string; text?: string };
    return [field + (kind && text ? `${kind}: ${text}` : inWords(from))];
  });
  return found.join('; ') || 'not stated';
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([key, inner]) => `${key}: ${inWords(inner)}`)
      .join('; ');
  }
  return String(value);
}

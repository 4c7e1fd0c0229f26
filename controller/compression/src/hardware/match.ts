import type { Facts } from '@espalier/proto';
import type { HardwareProfile } from './profile.js';

/** The facts that decide; a full {@link Facts} has them all. */
export interface MatchFacts {
  readonly arch: Facts['arch'];
  readonly cpu: { readonly features: readonly string[] };
  readonly board: { readonly compatible: readonly string[] };
}

export interface ProfileMatch {
  readonly profile: HardwareProfile;
  /** The facts that decided, for people: "arch x64", "cpu feature avx512_vnni". */
  readonly matched: string[];
}

/** The facts by which a profile fits this machine, or null when a condition does not hold. */
export function fits(facts: MatchFacts, { match }: HardwareProfile): string[] | null {
  const matched: string[] = [];
  if (match.arch) {
    if (match.arch !== facts.arch) return null;
    matched.push(`arch ${match.arch}`);
  }
  for (const feature of match.features) {
    if (!facts.cpu.features.includes(feature)) return null;
    matched.push(`cpu feature ${feature}`);
  }
  if (match.compatible.length > 0) {
    const board = match.compatible.find((name) => facts.board.compatible.includes(name));
    if (!board) return null;
    matched.push(`board ${board}`);
  }
  return matched;
}

/** A board says more than any number of CPU features: it implies them, and adds memory and a latency table. */
const weight = ({ matched, profile }: ProfileMatch): number =>
  matched.length + (profile.match.compatible.length > 0 ? 100 : 0);

/** The profile that fits with the most conditions; equal ones are settled by id. Null when none fits. */
export function matchProfile(facts: MatchFacts, profiles: readonly HardwareProfile[]): ProfileMatch | null {
  const found: ProfileMatch[] = [];
  for (const profile of profiles) {
    const matched = fits(facts, profile);
    if (matched) found.push({ profile, matched });
  }
  found.sort((a, b) => weight(b) - weight(a) || (a.profile.id < b.profile.id ? -1 : 1));
  return found[0] ?? null;
}

import type { Facts } from '@espalier/proto';
import type { HardwareProfile } from './profile.js';

/** The facts that decide; a full {@link Facts} has them all. */
export interface MatchFacts {
  readonly arch: Facts['arch'];
  readonly cpu: { readonly features: readonly string[] };
  readonly board: { readonly compatible: readonly string[] };
  /** Absent where nobody looked for any. */
  readonly accelerators?: readonly { readonly name: string }[];
  readonly runtimes?: readonly { readonly adapter: string }[];
}

export interface ProfileMatch {
  readonly profile: HardwareProfile;
  /** The facts that decided, for people: "arch x64", "cpu feature avx512_vnni". */
  readonly matched: string[];
}

/** The facts by which a profile fits this machine, or null when a condition does not hold or there is none. */
export function fits(facts: MatchFacts, profile: HardwareProfile): string[] | null {
  const matched = fitsHardware(facts, profile);
  const { runtime } = profile.match;
  if (!matched || !runtime) return matched;
  return facts.runtimes?.some(({ adapter }) => adapter === runtime) ? [...matched, `runtime ${runtime}`] : null;
}

/** As {@link fits}, whatever the machine can run. */
function fitsHardware(facts: MatchFacts, { match }: HardwareProfile): string[] | null {
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
  if (match.accelerator) {
    if (!facts.accelerators?.some(({ name }) => name === match.accelerator)) return null;
    matched.push(`accelerator ${match.accelerator}`);
  }
  return matched.length > 0 ? matched : null;
}

/**
 * A board says more than any number of CPU features: it implies them, and adds memory and a latency table. An
 * accelerator that the machine can serve on says more than both.
 */
const weight = ({ matched, profile: { match } }: ProfileMatch): number =>
  matched.length + (match.compatible.length > 0 ? 100 : 0) + (match.runtime ? 1000 : 0);

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

/** A profile whose hardware is there and whose runtime is not: what the machine would get with it. */
export interface Unserved extends ProfileMatch {
  readonly runtime: string;
}

/** Profiles that only wait for a runtime, sorted by id. */
export function unservedProfiles(facts: MatchFacts, profiles: readonly HardwareProfile[]): Unserved[] {
  return profiles.flatMap((profile) => {
    const { runtime } = profile.match;
    const matched = runtime && !fits(facts, profile) ? fitsHardware(facts, profile) : null;
    return runtime && matched ? [{ profile, matched, runtime }] : [];
  });
}

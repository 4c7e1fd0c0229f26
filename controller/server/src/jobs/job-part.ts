import type { ErrorBody } from '@espalier/proto';
import type { JobPartState } from '@espalier/proto/api';

/** One of the builds that a job makes. */
export interface JobPart {
  readonly variantId: string;
  readonly profile: string;
  readonly recipe: string;
  readonly state: JobPartState;
  readonly step: string | null;
  /** Share that is done, 0..1. */
  readonly progress: number;
  readonly error: ErrorBody | null;
}

export const newPart = (part: Pick<JobPart, 'variantId' | 'profile' | 'recipe'>): JobPart => ({
  ...part,
  ...{ state: 'waiting', step: null, progress: 0, error: null },
});

/** The parts with one of them changed; what is ready stays as it is. Pure. */
export const withPart = (
  parts: readonly JobPart[],
  variantId: string,
  change: Partial<Omit<JobPart, 'variantId' | 'profile' | 'recipe'>>,
): JobPart[] =>
  parts.map((part) => (part.variantId === variantId && part.state !== 'ready' ? { ...part, ...change } : part));

/** The parts of a job that begins once more: what is ready is not built again. Pure. */
export const startedAgain = (parts: readonly JobPart[]): JobPart[] =>
  parts.map((part) => (part.state === 'ready' ? part : newPart(part)));

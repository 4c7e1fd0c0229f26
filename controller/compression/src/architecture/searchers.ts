/** Three ways to propose the next network: regularized evolution, a REINFORCE controller, and random. Pure: a state in, a state out. */
import { drawBelow, fitToBudget, type Genome, type Space } from './space.js';

export const METHODS = ['evolution', 'reinforce', 'random'] as const;
export type Method = (typeof METHODS)[number];

export interface Task {
  readonly space: Space;
  readonly budgetUs: number;
}

/** The state of a search. Errors are positive, smaller is better. */
export interface Searcher {
  propose(task: Task, random: () => number): Genome;
  update(genome: Genome, error: number): Searcher;
}

const drawGenome = ({ space, budgetUs }: Task, random: () => number): Genome => {
  const drawn = space.genes.map(({ values }) => drawBelow(random, values.length));
  return fitToBudget(space, drawn, budgetUs, random);
};

const randomSearch: Searcher = { propose: drawGenome, update: () => randomSearch };

const POPULATION = 16;
const TOURNAMENT = 5;

interface Member {
  readonly genome: Genome;
  readonly error: number;
}

/** One gene goes to another choice; what that frees or takes is spent or found elsewhere. */
function mutate(parent: Genome, { space, budgetUs }: Task, random: () => number): Genome {
  const gene = drawBelow(random, space.genes.length);
  const others = space.genes[gene]!.values.length - 1;
  if (others === 0) return fitToBudget(space, parent, budgetUs, random);
  const drawn = drawBelow(random, others);
  const child = parent.with(gene, drawn < parent[gene]! ? drawn : drawn + 1);
  return fitToBudget(space, child, budgetUs, random, new Set([gene]));
}

/**
 * Regularized evolution [Real et al. 2019]: the best of a few drawn members is changed in one place, and the oldest member
 * dies, however good it is.
 */
const evolution = (members: readonly Member[]): Searcher => ({
  propose(task, random) {
    if (members.length < POPULATION) return drawGenome(task, random);
    const drawn = Array.from({ length: TOURNAMENT }, () => members[drawBelow(random, members.length)]!);
    const best = drawn.reduce((a, b) => (b.error < a.error ? b : a));
    return mutate(best.genome, task, random);
  },
  update: (genome, error) => evolution([...members, { genome, error }].slice(-POPULATION)),
});

const RATE = 0.3;
const BASELINE_KEEP = 0.9;
const ADVANTAGE_MAX = 2;

const softmax = (logits: readonly number[]): number[] => {
  const most = Math.max(...logits);
  const shares = logits.map((logit) => Math.exp(logit - most));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => share / sum);
};

function drawFrom(shares: readonly number[], random: () => number): number {
  let left = random();
  const found = shares.findIndex((share) => {
    left -= share;
    return left < 0;
  });
  return found < 0 ? shares.length - 1 : found;
}

/** Moving mean and square of the rewards: what an average proposal brings. */
interface Baseline {
  readonly mean: number;
  readonly variance: number;
}

/**
 * REINFORCE [Williams 1992; Zoph and Le 2017]: a softmax over the choices of each gene; d log p = onehot - p, times how much
 * better than the moving baseline the proposal was. The reward is -log of the error.
 */
const reinforce = (logits: readonly (readonly number[])[], baseline: Baseline | null): Searcher => ({
  propose({ space, budgetUs }, random) {
    const drawn = space.genes.map(({ values }, gene) => drawFrom(softmax(logits[gene] ?? values.map(() => 0)), random));
    return fitToBudget(space, drawn, budgetUs, random);
  },
  update(genome, error) {
    const reward = -Math.log(Math.max(error, 1e-9));
    if (!baseline) return reinforce(logits, { mean: reward, variance: 0 });
    const off = reward - baseline.mean;
    const spread = Math.sqrt(baseline.variance) || Math.abs(off) || 1;
    const advantage = Math.max(-ADVANTAGE_MAX, Math.min(ADVANTAGE_MAX, off / spread));
    const moved = genome.map((choice, gene) => {
      const own = logits[gene]!;
      const shares = softmax(own);
      return own.map((logit, at) => logit + RATE * advantage * ((at === choice ? 1 : 0) - shares[at]!));
    });
    const mean = baseline.mean + (1 - BASELINE_KEEP) * off;
    return reinforce(moved, { mean, variance: BASELINE_KEEP * (baseline.variance + (1 - BASELINE_KEEP) * off * off) });
  },
});

export function searcherOf(method: Method, { genes }: Space): Searcher {
  if (method === 'random') return randomSearch;
  if (method === 'evolution') return evolution([]);
  return reinforce(
    genes.map(({ values }) => values.map(() => 0)),
    null,
  );
}

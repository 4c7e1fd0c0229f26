/** What a search may change about a network, and what each choice costs by a latency table. Pure. */

/** One decision. Choices ascend; the last one leaves the network as it is. */
export interface Gene {
  /** A group of channels, an operator that adds a block to its input, or a convolution. */
  readonly id: string;
  readonly kind: 'width' | 'depth' | 'kernel';
  /** Channels kept; 0 or 1 for a block left out or in; the size of the window. */
  readonly values: readonly number[];
}

/** The number of a choice for every gene. */
export type Genome = readonly number[];

/** What an operator costs, and the genes it depends on, by number. */
export interface NodeCost {
  readonly node: string;
  /** Microseconds that go with its work, in the whole network. */
  readonly movingUs: number;
  /** Microseconds that it takes however little it does. */
  readonly fixedUs: number;
  readonly widths: readonly number[];
  readonly kernel: number | null;
  /** Blocks that it goes away with. */
  readonly blocks: readonly number[];
}

export interface Space {
  readonly genes: readonly Gene[];
  readonly nodes: readonly NodeCost[];
  /** Measured latency of the whole network. */
  readonly wholeUs: number;
}

export const wholeGenome = ({ genes }: Space): number[] => genes.map(({ values }) => values.length - 1);

const shareOf = ({ values }: Gene, choice: number): number => values[choice]! / values.at(-1)!;

function nodeUs({ genes }: Space, node: NodeCost, genome: Genome): number {
  if (node.blocks.some((gene) => genes[gene]!.values[genome[gene]!] === 0)) return 0;
  const width = node.widths.reduce((product, gene) => product * shareOf(genes[gene]!, genome[gene]!), 1);
  const window = node.kernel === null ? 1 : shareOf(genes[node.kernel]!, genome[node.kernel]!) ** 2;
  return node.movingUs * width * window + node.fixedUs;
}

/** Predicted microseconds: the whole network's, and what the choices change about it. */
export function latencyOf(space: Space, genome: Genome): number {
  const whole = wholeGenome(space);
  return space.nodes.reduce(
    (sum, node) => sum - nodeUs(space, node, whole) + nodeUs(space, node, genome),
    space.wholeUs,
  );
}

export const keyOf = (genome: Genome): string => genome.join();

/** A whole number from 0 to below `count`. */
export const drawBelow = (random: () => number, count: number): number => Math.floor(random() * count);

export function shuffledGenes({ genes }: Space, random: () => number): number[] {
  const order = genes.map((_, at) => at);
  for (let at = order.length - 1; at > 0; at--) {
    const other = drawBelow(random, at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}

/** The genome with the least latency that the space has. */
export const leastGenome = ({ genes }: Space): number[] => genes.map(() => 0);

/**
 * Brings a genome to its budget: random genes are lowered until it fits, then random ones raised while it does, so that every
 * proposal spends what it may. Genes that were decided on purpose stay, unless nothing else is left to lower.
 */
export function fitToBudget(
  space: Space,
  genome: Genome,
  budgetUs: number,
  random: () => number,
  decided: ReadonlySet<number> = new Set(),
): Genome {
  const fitted = [...genome];
  const fits = (): boolean => latencyOf(space, fitted) <= budgetUs;
  const order = shuffledGenes(space, random);
  for (const genes of [order.filter((gene) => !decided.has(gene)), [...decided]]) {
    let open = genes.filter((gene) => fitted[gene]! > 0);
    while (!fits() && open.length > 0) {
      fitted[open[drawBelow(random, open.length)]!]!--;
      open = open.filter((gene) => fitted[gene]! > 0);
    }
  }
  for (const gene of order) {
    if (decided.has(gene)) continue;
    const most = space.genes[gene]!.values.length - 1;
    while (fitted[gene]! < most) {
      fitted[gene]!++;
      if (fits()) continue;
      fitted[gene]!--;
      break;
    }
  }
  return fitted;
}

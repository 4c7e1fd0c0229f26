/** What each node brings when it has more than 8 bits, measured. */
import type { Graph } from '../onnx/graph.js';
import { layerNoise } from '../quantize/layer-noise.js';
import { balancedSqnr, type Outputs } from '../quantize/meter.js';
import type { Refinable } from '../quantize/quantize.js';
import { outputsOf } from '../quantize/search.js';
import type { Deadline } from './deadline.js';
import type { Prices } from './price.js';
import { type Group, type Measured, noiseOf, pairsOf } from './rank.js';

/** SQNR of builds on the few samples that the quantization chose by: quick, and without a clock. */
export class Meter {
  private constructor(
    private readonly found: Refinable,
    private readonly reference: readonly Outputs[],
  ) {}

  static async open(found: Refinable): Promise<Meter> {
    return new Meter(found, await outputsOf(found.float, found.samples.check));
  }

  async noise(graph: Graph): Promise<number> {
    const { check } = this.found.samples;
    const sizes = check.map(({ size }) => size);
    return noiseOf(balancedSqnr(this.reference, await outputsOf(graph, check), sizes));
  }

  /** With these groups relieved; null where nothing would be int8. */
  async relieved(groups: readonly Group[]): Promise<number | null> {
    const nodes = groups.flatMap((group) => group.nodes);
    const written = await this.found.relieve(new Map(nodes.map((node) => [node, 'being measured'])));
    return written && this.noise(written.graph);
  }
}

/** Relieves one group at a time, those where the noise grows most first; stops when the time is over. */
export async function measureGroups(
  found: Refinable,
  meter: Meter,
  groups: readonly Group[],
  { of }: Prices,
  deadline: Deadline,
): Promise<Measured[]> {
  const before = await meter.noise(found.best.graph);
  const measured: Measured[] = [];
  const single = await byAddedNoise(found, groups);
  for (const group of [...single, ...pairsOf(found.float, single)]) {
    if (deadline.isOver()) break;
    const noise = await meter.relieved([group]);
    if (noise === null) continue;
    measured.push({
      group,
      gain: 1 - noise / before,
      price: group.heads.reduce((sum, head) => sum + (of.get(head) ?? 0), 0),
    });
  }
  return measured;
}

/** Groups ordered by how much noisier they leave what they make than what they read. */
async function byAddedNoise({ float, best, samples }: Refinable, groups: readonly Group[]): Promise<Group[]> {
  const nodeOf = new Map(float.nodes.map((node) => [node.name, node]));
  const madeBy = ({ nodes }: Group): string => nodeOf.get(nodes.at(-1)!)?.outputs[0] ?? '';
  const noise = await layerNoise(float, best.graph, groups.map(madeBy), samples.check);
  const added = (group: Group): number => {
    const inputs = nodeOf.get(group.name)?.inputs ?? [];
    const read = Math.max(0, ...inputs.map((value) => noise.get(value) ?? 0));
    return (noise.get(madeBy(group)) ?? 0) - read;
  };
  return [...groups].sort((a, b) => added(b) - added(a));
}

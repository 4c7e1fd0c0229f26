/** Which networks to time for a latency table: the whole one, and cuts of every group to the same shares of its channels. */
import type { LatencyTableRow } from '@espalier/proto';
import type { Batch } from '../data/feeds.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { cutTo, uniformWidths } from '../prune/fit.js';
import type { Prunable } from '../prune/prunable.js';
import { runShapes } from '../runtime/run-shapes.js';
import { blockedKernels } from './blocked-kernels.js';
import { fitLine } from './line.js';
import { sketchInt8 } from './sketch.js';
import { workOf } from './work.js';

/** Shares of the channels that are kept in the networks that are measured; the first is the whole. */
export const SHARES = [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25];

/** What each operator of a network does, by its name in the float network. */
export type Works = Readonly<Record<string, Work>>;

export interface Work {
  readonly op: string;
  readonly work: number;
  /** Other names that the runtime may time it under. */
  readonly kernels?: readonly string[];
}

export interface PlannedNetwork {
  readonly share: number;
  /** The file that is timed: of the precision asked for. */
  readonly bytes: Uint8Array;
  readonly works: Works;
}

export interface Timed {
  readonly works: Works;
  /** Microseconds by operator, with what the profiler adds to each. */
  readonly times: ReadonlyMap<string, number>;
  /** Of the whole network without the profiler; null where only the profiler ran. */
  readonly plainUs: number | null;
}

interface PlanOptions {
  readonly profile: HardwareProfile;
  readonly precision: 'int8' | 'float32';
}

/** The file of a network that is timed, of the precision asked for. */
export async function timedBuild(
  graph: Graph,
  { profile, precision }: PlanOptions,
  samples: readonly Batch[],
): Promise<Uint8Array> {
  return encodeModel(precision === 'int8' ? await sketchInt8(graph, profile, samples) : graph);
}

/** @param samples a few samples, one a batch, as devices see them */
export async function* planNetworks(
  subject: Prunable,
  { profile, precision }: PlanOptions,
  samples: readonly Batch[],
): AsyncGenerator<PlannedNetwork> {
  for (const share of SHARES) {
    subject.feeding.signal?.throwIfAborted();
    const { graph } = share === 1 ? subject : await cutTo(subject, uniformWidths(subject, share));
    const bytes = await timedBuild(graph, { profile, precision }, samples);
    yield { share, bytes, works: worksOf(graph, await runShapes(graph, samples[0]!.feeds)) };
  }
}

export const worksOf = (graph: Graph, shapes: ReadonlyMap<string, readonly number[]>): Works =>
  Object.fromEntries(
    graph.nodes.map((node): [string, Work] => {
      const kernels = blockedKernels(graph, node);
      const work = { op: node.opType, work: workOf(graph, node, shapes) };
      return [node.name, kernels.length > 0 ? { ...work, kernels } : work];
    }),
  );

/** The rows of the operators that were seen at every width, brought to what widths save of the plain latency. */
export const rowsOfTimes = (networks: readonly Timed[]): LatencyTableRow[] => {
  const rows = linesOf(networks);
  const factor = profilerFactor(rows, networks);
  return rows.map((row) => ({
    ...{ ...row, fixedUs: factor * row.fixedUs, usPerWork: factor * row.usPerWork },
    points: row.points.map(({ work, us }) => ({ work, us: factor * us })),
  }));
};

/** Beyond these a plain latency was disturbed rather than the profiler wrong. */
const FACTORS = { least: 0.3, most: 1.5 };

/**
 * What the lines have to be multiplied by, so that the networks cost what they took without the profiler: by least squares
 * over the differences to the whole network. 1 where no plain latency is known.
 */
export function profilerFactor(rows: readonly LatencyTableRow[], networks: readonly Timed[]): number {
  const [whole, ...narrower] = networks;
  const moving = ({ works }: Timed): number =>
    rows.reduce((sum, { node, usPerWork }) => sum + usPerWork * (works[node]?.work ?? 0), 0);
  let [shared, squared] = [0, 0];
  for (const network of narrower) {
    if (whole!.plainUs === null || network.plainUs === null) return 1;
    const foretold = moving(whole!) - moving(network);
    shared += foretold * (whole!.plainUs - network.plainUs);
    squared += foretold ** 2;
  }
  return squared > 0 ? Math.min(FACTORS.most, Math.max(FACTORS.least, shared / squared)) : 1;
}

const timeOf = (times: Timed['times'], name: string, { kernels = [] }: Work): number | undefined =>
  [name, ...kernels].map((kernel) => times.get(kernel)).find((us) => us !== undefined);

function linesOf(networks: readonly Timed[]): LatencyTableRow[] {
  return Object.entries(networks[0]!.works).flatMap(([name, { op }]): LatencyTableRow[] => {
    const points = networks.flatMap(({ works, times }) => {
      const one = works[name];
      const us = one && timeOf(times, name, one);
      return one && us !== undefined ? [{ work: one.work, us }] : [];
    });
    if (points.length < networks.length) return [];
    return [{ node: name, op, points, ...fitLine(points), origin: 'measured' }];
  });
}

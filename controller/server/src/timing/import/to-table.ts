/** Rows of a latency table from what was not measured on devices: a compiler's layers, or a roof. Pure. */
import type { Works } from '@espalier/compression/latency/plan';
import type { LatencyTable, LatencyTableRow } from '@espalier/proto';
import { LayersUnreadable } from '../../common/errors.js';
import type { Layers } from './layers.js';

/** Of the time of all layers, what must be found in the model: with less, the file is of another one. */
const MATCHED_MIN = 0.5;

/** A layer's name without the scopes and tails that compilers add: "StatefulPartitionedCall/net/conv1;bias" is "conv1". */
const plain = (name: string): string => name.split(';')[0]!.split(/[/:]/).at(-1)!.replace(/_\d+$/, '').toLowerCase();

type Row = Pick<LatencyTableRow, 'node' | 'op' | 'points' | 'fixedUs' | 'usPerWork'>;

/** One width is known, so all of an operator's time counts as growing with its work: what pruning saves is an upper bound. */
const rowOf = (node: string, op: string, work: number, us: number): Row => ({
  ...{ node, op, points: [{ work, us }], fixedUs: 0, usPerWork: work > 0 ? us / work : 0 },
});

export interface Found {
  readonly rows: LatencyTable['rows'];
  readonly anchorUs: number;
  /** Names of layers that are no operator of the model. */
  readonly unmatched: readonly string[];
}

/** @throws ESP_LAYERS_UNREADABLE where less than half of the time belongs to operators of the model */
export function rowsOfLayers({ layers, totalUs, tool }: Layers, works: Works): Found {
  const byPlain = Map.groupBy(Object.keys(works), plain);
  const times = new Map<string, number>();
  const unmatched: string[] = [];
  for (const { name, us } of layers) {
    const alike = byPlain.get(plain(name)) ?? [];
    const node = works[name] ? name : alike.length === 1 ? alike[0] : undefined;
    if (node) times.set(node, (times.get(node) ?? 0) + us);
    else unmatched.push(name);
  }
  const found = [...times.values()].reduce((sum, us) => sum + us, 0);
  const all = layers.reduce((sum, { us }) => sum + us, 0);
  if (found < MATCHED_MIN * all) {
    const why = `${Math.round((100 * found) / all)}% of its time is of operators of this model; not found: ${unmatched.slice(0, 5).join(', ')}`;
    throw LayersUnreadable({ format: tool, why });
  }
  const rows = [...times].map(([node, us]) => ({
    ...rowOf(node, works[node]!.op, works[node]!.work, us),
    origin: 'compiler' as const,
  }));
  return { rows, anchorUs: totalUs, unmatched };
}

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/**
 * An operator with weights takes its multiply-accumulates over the peak rate, any other its output's bytes over the
 * bandwidth; each a start besides. [Williams, Waterman, Patterson 2009, the roof on either side of the ridge]
 */
export function rowsOfRoof(
  { gigaMacsPerS, gigaBytesPerS, startUs }: { gigaMacsPerS: number; gigaBytesPerS: number; startUs: number },
  works: Works,
): Found {
  const rows = Object.entries(works).map(([node, { op, work }]) => {
    const usPerWork = 1 / (1000 * (WEIGHTED.has(op) ? gigaMacsPerS : gigaBytesPerS));
    const points = [{ work, us: startUs + usPerWork * work }];
    return { node, op, points, fixedUs: startUs, usPerWork, origin: 'roofline' as const };
  });
  return { rows, anchorUs: rows.reduce((sum, { points }) => sum + points[0]!.us, 0), unmatched: [] };
}

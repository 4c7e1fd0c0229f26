import type { Report, SearchPoint } from '@espalier/proto';
import { RELIEVED } from '../quantize/relief.js';

/** Figures as people read them; what was not measured says so. */
export const percent = (value: number | null): string => (value === null ? 'no labels' : `${value.toFixed(2)} %`);
export const bytes = (value: number): string =>
  value < 1024 * 1024 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 1024 / 1024).toFixed(2)} MiB`;
export const latency = (value: Report['float']['latency']): string =>
  value === null ? 'not measured' : `${value.p50Us.toFixed(1)} µs`;
export const times = (value: number | null): string => (value === null ? 'not measured' : `${value.toFixed(2)}x`);
const precision = (value: number | null | undefined): string =>
  value == null ? 'no annotations' : `${(100 * value).toFixed(2)} %`;
export const timeShare = (value: number | null): string =>
  value === null ? 'not measured' : `${(100 * value).toFixed(1)} %`;

type Row = [label: string, float: string, variant: string];

/** Precision of a detector. */
const detectionRows = ({ detection }: Report): Row[] =>
  (['ap', 'ap50'] as const).flatMap((key): Row[] => {
    const label = key === 'ap' ? 'mAP@[.5:.95]' : 'mAP@.5';
    return detection ? [[label, precision(detection.float?.[key]), precision(detection.variant?.[key])]] : [];
  });

/** The rows of the float-against-variant table. */
export function comparisonRows(report: Report): Row[] {
  const { float, variant, data } = report;
  return [
    ...detectionRows(report),
    ['Top-1', percent(float.top1), percent(variant.top1)],
    ['Latency p50', latency(float.latency), latency(variant.latency)],
    ['Size', bytes(float.sizeBytes), bytes(variant.sizeBytes)],
    ['Samples', data ? String(data.n) : 'none', data ? data.split : ''],
  ];
}

/** What the comparison says beside the table, a sentence a line. */
export function findings(report: Report): string[] {
  const lines: string[] = [];
  const { fixed, broken, mcnemarP, agreement, sqnrDb } = report;
  lines.push(`Speed ${times(report.speedup)}, size ${report.sizeRatio.toFixed(2)} times smaller.`);
  if (fixed !== null && broken !== null) {
    const chance = mcnemarP === null ? '' : `, McNemar p = ${mcnemarP.toPrecision(2)}`;
    lines.push(`${fixed} predictions fixed, ${broken} broken${chance}.`);
  }
  if (agreement !== null) lines.push(`The first class agrees with float on ${agreement.toFixed(2)} % of the samples.`);
  if (report.detection) {
    const { boxes, boxesFloat, percent: agreed, meanOverlap } = report.detection.agreement;
    const overlaps = meanOverlap === null ? '' : `, with a mean IoU of ${meanOverlap.toFixed(3)}`;
    lines.push(`Of ${boxes} boxes selected, and ${boxesFloat} by float, ${agreed.toFixed(2)} % agree${overlaps}.`);
  }
  for (const [output, db] of Object.entries(sqnrDb ?? {})) lines.push(`SQNR of ${output}: ${db.toFixed(1)} dB.`);
  return lines;
}

/** "3 in float", "2 at 16 bits", or nothing where every node that can be is int8. @param noun "node": "3 nodes in float" */
export function relievedOf({ floatNodes, wideNodes }: Relieved, noun = ''): string {
  const [nodes, relief] = wideNodes.length > 0 ? [wideNodes, RELIEVED.int16] : [floatNodes, RELIEVED.float];
  const many = noun && nodes.length !== 1 ? ` ${noun}s` : noun && ` ${noun}`;
  return nodes.length > 0 ? `${nodes.length}${many} ${relief}` : '';
}

type Relieved = { readonly [Key in 'floatNodes' | 'wideNodes']: readonly SearchPoint[Key][number][] };

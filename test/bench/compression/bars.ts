import type { Bar, Line } from './lines.ts';
import { CPU_SHARE_MAX, PEAK_RSS_MB_MAX, type Row } from './rows.ts';

export const bar = (model: string, id: string, unit: string, value: number, limit: number, atLeast = false): Bar => ({
  id,
  model,
  value: Number(value.toFixed(3)),
  unit,
  limit,
  atLeast,
  met: atLeast ? value >= limit : value <= limit,
});

/** Points of top-1 that a build loses; null where nothing is known. */
export const dropOf = ({ top1Float, top1 }: Line): number | null =>
  top1Float === null || top1 === null ? null : Number((top1Float - top1).toFixed(2));

/** The peer whose accuracy is nearest to ours: the smallest difference of drops, of equals the quicker. */
export function nearest(ours: Line, peers: readonly Line[]): Line | null {
  const drop = dropOf(ours);
  if (drop === null) return null;
  const distance = (peer: Line): number => Math.abs((dropOf(peer) ?? Number.POSITIVE_INFINITY) - drop);
  const known = peers.filter((peer) => Number.isFinite(distance(peer)) && peer.cpuSeconds !== null);
  return known.sort((a, b) => distance(a) - distance(b) || a.cpuSeconds! - b.cpuSeconds!)[0] ?? null;
}

/** The figures of one model that have a bound. A float build is asked only for what it may not lose: speed. */
export function barsOf({ bars, model }: Row, ours: Line, peers: readonly Line[]): Bar[] {
  const found: Bar[] = [];
  const drop = dropOf(ours);
  if (ours.speedup !== null) found.push(bar(model, 'speedup', 'times', ours.speedup, bars.speedup, true));
  if (drop !== null && bars.drop !== undefined) found.push(bar(model, 'drop', 'points', drop, bars.drop));
  if (ours.sqnrDb !== null && bars.sqnrDb !== undefined) {
    found.push(bar(model, 'sqnr', 'dB', ours.sqnrDb, bars.sqnrDb, true));
  }
  if (ours.sizeRatio !== null && bars.size !== undefined) {
    found.push(bar(model, 'size', 'times', ours.sizeRatio, bars.size, true));
  }
  if (ours.peakRssMb !== null) found.push(bar(model, 'peak-rss', 'MB', ours.peakRssMb, PEAK_RSS_MB_MAX));
  const peer = nearest(ours, peers);
  if (peer && ours.cpuSeconds !== null) {
    const id = `cpu-against-${peer.peer}-${peer.method}`;
    found.push(bar(model, id, 'share', ours.cpuSeconds / peer.cpuSeconds!, CPU_SHARE_MAX));
  }
  return found;
}

import { scaleLinear } from 'd3-scale';
import { formatShare } from '../components/format';
import { quality as s } from '../strings/quality';

const [WIDTH, HEIGHT] = [420, 150];
const EDGE = { left: 40, right: 8, top: 8, bottom: 22 };

interface Props {
  readonly title: string;
  /** Counts in equal bins of 0..1. */
  readonly seen: readonly number[];
  readonly expected: readonly number[];
}

const shares = (counts: readonly number[]): number[] => {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / Math.max(1, total));
};

/** Two histograms over 0..1: filled bars of what is seen, an outline of what was expected. */
export function PairedBars({ title, seen, expected }: Props) {
  const [now, before] = [shares(seen), shares(expected)];
  const x = scaleLinear([0, now.length], [EDGE.left, WIDTH - EDGE.right]);
  const y = scaleLinear([0, Math.max(...now, ...before)], [HEIGHT - EDGE.bottom, EDGE.top]);
  const outline = before
    .map((share, at) => `${at === 0 ? 'M' : 'L'}${x(at)},${y(share)} L${x(at + 1)},${y(share)}`)
    .join(' ');
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} style={{ minWidth: 280, maxWidth: WIDTH }}>
      <title>{s.bars(title)}</title>
      {y.ticks(3).map((tick) => (
        <g key={tick}>
          <line x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(tick)} y2={y(tick)} stroke="var(--line)" />
          <text x={EDGE.left - 6} y={y(tick) + 4} textAnchor="end">
            {formatShare(tick)}
          </text>
        </g>
      ))}
      {now.map((share, at) => (
        <rect
          // biome-ignore lint/suspicious/noArrayIndexKey: a bin is its place
          key={at}
          x={x(at) + 1}
          width={x(at + 1) - x(at) - 2}
          y={y(share)}
          height={y(0) - y(share)}
          fill="var(--series-2)"
          opacity={0.7}
        />
      ))}
      <path d={outline} fill="none" stroke="var(--series-1)" strokeWidth={2} />
      {[0, 0.5, 1].map((share) => (
        <text key={share} x={x(share * now.length)} y={HEIGHT - 6} textAnchor={share === 1 ? 'end' : 'middle'}>
          {share}
        </text>
      ))}
    </svg>
  );
}

import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { formatShare } from '../components/format';
import { charts as s } from '../strings/charts';
import { byWork, kneeOf, type TablePoint, type TableRow, wholeWork } from './table';

const [WIDTH, HEIGHT] = [640, 200];
const EDGE = { left: 56, right: 24, top: 14, bottom: 40 };

/** One operator: what each width takes, the straight line that widths are chosen by, and where the curve bends. */
export function WidthCurve({ row }: { readonly row: TableRow }) {
  const points = byWork(row.points);
  const most = wholeWork(row);
  const x = scaleLinear([0, most], [EDGE.left, WIDTH - EDGE.right]);
  const y = scaleLinear([0, 1.15 * Math.max(...points.map(({ us }) => us))], [HEIGHT - EDGE.bottom, EDGE.top]);
  const path = line<TablePoint>(
    ({ work }) => x(work),
    ({ us }) => y(us),
  )(points);
  const fitted = (work: number): number => y(Math.max(0, row.fixedUs + row.usPerWork * work));
  const knee = kneeOf(points);
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} style={{ minWidth: 480, maxWidth: 900 }}>
      <title>{s.curveAlt(row.node)}</title>
      {y.ticks(4).map((tick) => (
        <g key={tick}>
          <line x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(tick)} y2={y(tick)} stroke="var(--line)" />
          <text x={EDGE.left - 8} y={y(tick) + 4} textAnchor="end">
            {tick} µs
          </text>
        </g>
      ))}
      {[0.25, 0.5, 0.75, 1].map((share) => (
        <text key={share} x={x(share * most)} y={HEIGHT - EDGE.bottom + 18} textAnchor="middle">
          {formatShare(share)}
        </text>
      ))}
      <text x={(EDGE.left + WIDTH) / 2} y={HEIGHT - 6} textAnchor="middle">
        {s.workAxis}
      </text>
      <line
        x1={x(0)}
        x2={x(most)}
        y1={fitted(0)}
        y2={fitted(most)}
        stroke="var(--muted)"
        strokeDasharray="5 4"
        strokeWidth={1.5}
      />
      {path && <path d={path} fill="none" stroke="var(--series-1)" strokeWidth={2} />}
      {points.map(({ work, us }) => (
        <circle key={work} cx={x(work)} cy={y(us)} r={4} fill="var(--series-1)" />
      ))}
      {knee && (
        <g>
          <circle cx={x(knee.work)} cy={y(knee.us)} r={8} fill="none" stroke="var(--series-2)" strokeWidth={2} />
          <text x={x(knee.work) + 12} y={y(knee.us) + 16} style={{ fill: 'var(--text)' }}>
            {s.knee(formatShare(knee.work / most))}
          </text>
        </g>
      )}
    </svg>
  );
}

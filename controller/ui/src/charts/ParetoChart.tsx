import type { Budget } from '@espalier/proto/api';
import { scaleLinear, scaleLog, scaleSqrt } from 'd3-scale';
import { curveStepAfter, line } from 'd3-shape';
import { Link } from 'wouter';
import { formatBytes, formatPercent, formatUs } from '../components/format';
import { charts as s } from '../strings/charts';
import { frontOf, type Point } from './pareto';

const WIDTH = 720;
const HEIGHT = 300;
const EDGE = { left: 64, right: 24, top: 20, bottom: 48 };

interface Props {
  readonly profile: string;
  readonly points: readonly Point[];
  readonly budget: Budget;
  readonly chosenId: string | null;
}

/** Scales with some air around the points, and the budget lines inside where there are any. */
function scalesOf(points: readonly Point[], minAccuracy: number | null) {
  const latencies = points.map((point) => point.latencyUs);
  const accuracies = [...points.map((point) => point.accuracy), ...(minAccuracy === null ? [] : [minAccuracy])];
  const low = Math.min(...accuracies);
  const high = Math.max(...accuracies);
  const air = Math.max(0.5, (high - low) * 0.25);
  return {
    x: scaleLog([Math.min(...latencies) / 1.3, Math.max(...latencies) * 1.5], [EDGE.left, WIDTH - EDGE.right]),
    y: scaleLinear([low - air, Math.min(100, high + air)], [HEIGHT - EDGE.bottom, EDGE.top]),
    r: scaleSqrt([0, Math.max(1, ...points.map((point) => point.row.sizeBytes ?? 0))], [4, 12]),
  };
}

type Scales = ReturnType<typeof scalesOf>;

/** Accuracy upwards, latency to the right on a logarithmic scale, since ratios are what matters. */
function Axes({ x, y }: Scales) {
  const [from = 1, to = 1] = x.domain();
  // A log scale over less than a decade has few ticks of its own; even ratios read better there.
  const xTicks = Array.from({ length: 5 }, (_, step) => from * (to / from) ** (step / 4));
  return (
    <g>
      {y.ticks(5).map((tick) => (
        <g key={tick}>
          <line x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(tick)} y2={y(tick)} stroke="var(--line)" />
          <text x={EDGE.left - 8} y={y(tick) + 4} textAnchor="end">
            {formatPercent(tick)}
          </text>
        </g>
      ))}
      {xTicks.map((tick) => (
        <text key={tick} x={x(tick)} y={HEIGHT - EDGE.bottom + 18} textAnchor="middle">
          {formatUs(tick)}
        </text>
      ))}
      <text x={(EDGE.left + WIDTH) / 2} y={HEIGHT - 8} textAnchor="middle">
        {s.latencyAxis}
      </text>
      <text x={EDGE.left - 56} y={12}>
        {s.accuracyAxis}
      </text>
    </g>
  );
}

/** The region below the accuracy budget, shaded and named. */
function AccuracyLimit({ scales, value }: { readonly scales: Scales; readonly value: number }) {
  const top = scales.y(value);
  const width = WIDTH - EDGE.left - EDGE.right;
  return (
    <g>
      <rect x={EDGE.left} y={top} width={width} height={Math.max(0, HEIGHT - EDGE.bottom - top)} fill="var(--shade)" />
      <line x1={EDGE.left} x2={WIDTH - EDGE.right} y1={top} y2={top} stroke="var(--failed)" strokeDasharray="6 4" />
      <text x={WIDTH - EDGE.right - 4} y={top + 14} textAnchor="end">
        {s.minAccuracy} {formatPercent(value, 2)}
      </text>
    </g>
  );
}

interface DotProps {
  readonly point: Point;
  readonly scales: Scales;
  readonly onFront: boolean;
  readonly chosen: boolean;
}

const DASHES = { devices: undefined, predicted: '1 2', proof: '4 3' } as const;

/** A build: filled on the front, hollow behind it, dashed when no device has timed it, ringed when chosen. */
function Dot({ point, scales, onFront, chosen }: DotProps) {
  const { row, latencyUs, accuracy, source } = point;
  const x = scales.x(latencyUs);
  const y = scales.y(accuracy);
  const radius = scales.r(row.sizeBytes ?? 0);
  const name = row.method === 'float' ? `${row.method} (${s.baseline})` : row.method;
  return (
    <Link href={`/variants/${row.id}`}>
      <title>{`${name}: ${formatPercent(accuracy, 2)}, ${formatUs(latencyUs)}, ${formatBytes(row.sizeBytes)}`}</title>
      {chosen && <circle cx={x} cy={y} r={radius + 5} fill="none" stroke="var(--accent)" strokeWidth={2} />}
      <circle
        cx={x}
        cy={y}
        r={radius}
        fill={onFront ? 'var(--series-1)' : 'var(--mantine-color-body)'}
        fillOpacity={source === 'devices' ? 1 : 0.3}
        stroke="var(--series-1)"
        strokeWidth={2}
        strokeDasharray={DASHES[source]}
      />
      <text x={x + radius + 9} y={y - 4} style={{ fill: 'var(--text)' }}>
        {name}
      </text>
    </Link>
  );
}

/** Accuracy against latency of one profile's builds: further up and further left is better. */
export function ParetoChart({ profile, points, budget, chosenId }: Props) {
  const front = frontOf(points);
  const float = points.find((point) => point.row.method === 'float')?.accuracy ?? points[0]?.row.top1Float ?? null;
  const minAccuracy = float === null || budget.maxAccuracyDrop === null ? null : float - budget.maxAccuracyDrop;
  const scales = scalesOf(points, minAccuracy);
  const path = line<Point>(
    (point) => scales.x(point.latencyUs),
    (point) => scales.y(point.accuracy),
  ).curve(curveStepAfter)(front);
  return (
    <figure className="chart" style={{ margin: 0 }}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} style={{ minWidth: 480, maxWidth: 900 }}>
        <title>{s.paretoAlt(profile, points.length)}</title>
        <Axes {...scales} />
        {minAccuracy !== null && <AccuracyLimit scales={scales} value={minAccuracy} />}
        {path && <path d={path} fill="none" stroke="var(--series-1)" strokeWidth={1.5} opacity={0.6} />}
        {points.map((point) => (
          <Dot
            key={point.row.id}
            point={point}
            scales={scales}
            onFront={front.includes(point)}
            chosen={point.row.id === chosenId}
          />
        ))}
      </svg>
      <figcaption className="muted small">
        {s.legend} {s.proof} {points.some(({ source }) => source === 'predicted') && s.predicted}
      </figcaption>
    </figure>
  );
}

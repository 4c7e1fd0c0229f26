import { scaleLinear } from 'd3-scale';
import { formatShare } from '../components/format';
import { charts as s } from '../strings/charts';
import { columnShares, kneeOf, type TableRow } from './table';

const CELL = { width: 64, height: 26 };
const EDGE = { left: 250, top: 26 };
const NAME_MAX = 36;

const us = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
const short = (name: string): string => (name.length > NAME_MAX ? `…${name.slice(1 - NAME_MAX)}` : name);

interface Props {
  readonly rows: readonly TableRow[];
  readonly chosen: string;
  readonly onChoose: (node: string) => void;
}

/** Operators by width: a cell is darker the longer it takes; the knee of a row is framed. */
export function HeatMap({ rows, chosen, onChoose }: Props) {
  const shares = columnShares(rows);
  const width = EDGE.left + shares.length * CELL.width + 8;
  const most = Math.max(...rows.map(({ points }) => points[0]?.us ?? 0));
  const depth = scaleLinear([0, most], [0.06, 0.72]);
  return (
    <svg viewBox={`0 0 ${width} ${EDGE.top + rows.length * CELL.height + 4}`} style={{ minWidth: 640, maxWidth: 900 }}>
      <title>{s.heatAlt(rows.length)}</title>
      <text x={EDGE.left - 8} y={16} textAnchor="end">
        {s.operator}
      </text>
      {shares.map((share, column) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
        <text key={column} x={EDGE.left + (column + 0.5) * CELL.width} y={16} textAnchor="middle">
          {column === 0 ? s.whole : formatShare(share)}
        </text>
      ))}
      {rows.map((row, at) => (
        <HeatRow
          key={row.node}
          row={row}
          y={EDGE.top + at * CELL.height}
          isChosen={row.node === chosen}
          opacity={depth}
          onChoose={() => onChoose(row.node)}
        />
      ))}
    </svg>
  );
}

interface RowProps {
  readonly row: TableRow;
  readonly y: number;
  readonly isChosen: boolean;
  readonly opacity: (us: number) => number;
  readonly onChoose: () => void;
}

function HeatRow({ row, y, isChosen, opacity, onChoose }: RowProps) {
  const knee = kneeOf(row.points);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a row of an SVG cannot be a button element
    <g
      role="button"
      tabIndex={0}
      aria-pressed={isChosen}
      aria-label={`${row.node}, ${row.op}`}
      style={{ cursor: 'pointer' }}
      onClick={onChoose}
      onKeyDown={(event) => (event.key === 'Enter' || event.key === ' ') && onChoose()}
    >
      <text x={EDGE.left - 8} y={y + 17} textAnchor="end" style={isChosen ? { fill: 'var(--accent)' } : undefined}>
        {short(row.node)} · {row.op}
      </text>
      {row.points.map((point, column) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place, and two may have the same work
        <g key={column}>
          <title>{`${row.node}: ${us(point.us)} µs, ${point.work} ${s.work}`}</title>
          <rect
            x={EDGE.left + column * CELL.width + 1}
            y={y + 1}
            width={CELL.width - 2}
            height={CELL.height - 2}
            rx={3}
            fill="var(--series-1)"
            fillOpacity={opacity(point.us)}
            stroke={point.work === knee?.work ? 'var(--series-2)' : 'none'}
            strokeWidth={2}
          />
          <text
            x={EDGE.left + (column + 0.5) * CELL.width}
            y={y + 17}
            textAnchor="middle"
            style={{ fill: opacity(point.us) > 0.4 ? 'var(--mantine-color-body)' : 'var(--text)' }}
          >
            {us(point.us)}
          </text>
        </g>
      ))}
    </g>
  );
}

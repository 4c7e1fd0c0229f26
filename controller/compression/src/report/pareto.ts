/** The builds of a search as charts: accuracy against speed, with what the budgets ask for. */
import type { SearchPoint, SearchRecord } from '@espalier/proto';
import { bytes, relievedOf, times } from './format.js';
import { axisOf, escapeHtml, type Frame, framed, MARGIN } from './svg.js';

const [WIDTH, HEIGHT] = [440, 270];

interface Measure {
  readonly label: string;
  of(point: SearchPoint): number;
}

const labelOf = (point: SearchPoint): string => [point.precision, relievedOf(point)].filter(Boolean).join(', ');

const tip = (point: SearchPoint): string =>
  `${labelOf(point)}: drop ${point.drop.toFixed(2)}, ${point.sqnrDb.toFixed(1)} dB, ${times(point.speedup)}, ${bytes(point.bytes)}`;

function marks(points: readonly SearchPoint[], { x, y }: Pick<Frame, 'x' | 'y'>, across: Measure, up: Measure): string {
  const ordered = [...points].sort((a, b) => Number(a.isChosen) - Number(b.isChosen));
  return ordered
    .map((point) => {
      const [cx, cy] = [x.at(across.of(point)), y.at(up.of(point))];
      const kind = point.isChosen ? 'chosen' : point.isFront ? 'front' : 'behind';
      const anchor = cx > WIDTH * 0.7 ? 'end' : 'start';
      const name = point.isChosen
        ? `<text class="name" x="${cx + (anchor === 'end' ? -9 : 9)}" y="${cy - 8}" text-anchor="${anchor}">${escapeHtml(labelOf(point))}</text>`
        : '';
      return `<circle class="${kind}" cx="${cx}" cy="${cy}" r="${point.isChosen ? 6 : 4}"><title>${escapeHtml(tip(point))}</title></circle>${name}`;
    })
    .join('');
}

const line = (x1: number, y1: number, x2: number, y2: number, what: string): string =>
  `<line class="budget" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"><title>${escapeHtml(what)}</title></line>`;

/** The speed a budget asks for, from either of its forms. */
function wantedSpeed({ budgets, points }: SearchRecord): number | null {
  if (budgets.speedup !== null) return budgets.speedup;
  const floatUs = points.find(({ precision }) => precision === 'float')?.p50Us ?? null;
  return budgets.latencyUs !== null && floatUs !== null ? floatUs / budgets.latencyUs : null;
}

function chart(
  record: SearchRecord,
  across: Measure,
  up: Measure,
  wanted: { x: number | null; y: number | null },
): string {
  const points = record.points.filter((point) => up.label !== SQNR.label || point.precision !== 'float');
  const given = (one: number | null): number[] => (one === null ? [] : [one]);
  const xs = [...points.map(across.of), ...given(wanted.x)];
  const ys = [...points.map(up.of), ...given(wanted.y)];
  const x = axisOf(xs, MARGIN.left + 6, WIDTH - MARGIN.right - 6);
  const [bottom, top] = [HEIGHT - MARGIN.bottom, MARGIN.top];
  const y = up.label === SQNR.label ? axisOf(ys, bottom, top) : axisOf([0, ...ys], top, bottom, 1);
  const lines = [
    ...given(wanted.x).map((one) => line(x.at(one), top, x.at(one), bottom, `budget: ${one.toFixed(2)}`)),
    ...given(wanted.y).map((one) => line(MARGIN.left, y.at(one), WIDTH - MARGIN.right, y.at(one), `budget: ${one}`)),
  ];
  const frame = { ...{ width: WIDTH, height: HEIGHT, x, y }, xLabel: across.label, yLabel: up.label };
  return framed(
    { ...frame, title: `${up.label} against ${across.label}` },
    lines.join('') + marks(points, { x, y }, across, up),
  );
}

const SQNR: Measure = { label: 'SQNR, dB', of: (point) => point.sqnrDb };

/** Two charts: SQNR and what is lost, each against speed; against size where no time was measured. Pure. */
export function paretoCharts(record: SearchRecord): string {
  const timed = record.points.every(({ speedup }) => speedup !== null);
  const floatBytes = record.points.find(({ precision }) => precision === 'float')?.bytes ?? 1;
  const across: Measure = timed
    ? { label: 'times as fast as float', of: (point) => point.speedup! }
    : { label: 'times smaller than float', of: (point) => floatBytes / point.bytes };
  const lost = record.basis === 'labels' ? 'points of top-1 lost' : '% of first classes changed';
  const x = timed ? wantedSpeed(record) : record.budgets.sizeRatio;
  const built = record.points.some(({ precision }) => precision !== 'float');
  if (!built) return '';
  return `<div class="charts">${chart(record, across, SQNR, { x, y: null })}${chart(record, across, { label: lost, of: (point) => point.drop }, { x, y: record.budgets.maxDrop })}</div>`;
}

/** Charts as SVG text: no script, colours from the page. */

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Maps a range of values to a range of pixels. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  at(value: number): number;
}

const STEPS = [1, 2, 2.5, 5, 10];

/** An axis around values, between round numbers with about five ticks. Pure. */
export function axisOf(values: readonly number[], from: number, to: number, least = 0): Axis {
  const finite = values.filter(Number.isFinite);
  const [min, max] = [Math.min(...finite), Math.max(...finite)];
  const span = Math.max(max - min, least, Math.abs(max) * 0.02, 1e-9);
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = power * (STEPS.find((one) => span / (one * power) <= 5) ?? 10);
  const low = Math.floor((min - 1e-9) / step) * step;
  const high = Math.max(Math.ceil((max + 1e-9) / step) * step, low + step);
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, at) => low + at * step);
  return { low, high, ticks, at: (value) => from + ((value - low) / (high - low)) * (to - from) };
}

/** A number as short as its size allows. */
export const short = (value: number): string => String(Number(value.toFixed(Math.abs(value) < 10 ? 2 : 1)));

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly x: Axis;
  readonly y: Axis;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
}

export const MARGIN = { left: 52, right: 14, top: 26, bottom: 40 };

/** Grid, ticks and labels of a chart with what is drawn into it. */
export function framed({ width, height, x, y, title, xLabel, yLabel }: Frame, body: string): string {
  const [left, right] = [MARGIN.left, width - MARGIN.right];
  const [top, bottom] = [MARGIN.top, height - MARGIN.bottom];
  const across = y.ticks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${right}" y1="${y.at(tick)}" y2="${y.at(tick)}"/>` +
      `<text x="${left - 6}" y="${y.at(tick) + 4}" text-anchor="end">${short(tick)}</text>`,
  );
  const along = x.ticks.map(
    (tick) => `<text x="${x.at(tick)}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
  );
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">
<text class="label" x="${left}" y="${top - 12}">${escapeHtml(yLabel)}</text>
${across.join('')}${along.join('')}
<text class="label" x="${right}" y="${bottom + 33}" text-anchor="end">${escapeHtml(xLabel)}</text>
${body}</svg>`;
}

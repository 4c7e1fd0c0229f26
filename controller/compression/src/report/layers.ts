/** Layers by their noise: all of them in order, and the worst ones. */
import type { LayerFigures } from '@espalier/proto';
import { type Axis, axisOf, escapeHtml, framed, MARGIN } from './svg.js';

const [WIDTH, HEIGHT] = [900, 260];
const WORST = 10;
/** Above this a layer is as good as exact. */
const SHOWN_DB_MAX = 60;

const shown = (decibel: number): number => Math.min(SHOWN_DB_MAX, decibel);

/** Layers from the first to the last, with ticks at whole ones. */
function alongLayers(n: number): Axis {
  const [from, to] = [MARGIN.left + 6, WIDTH - MARGIN.right - 6];
  const { ticks } = axisOf([1, n], from, to);
  return {
    ...{ low: 1, high: n, ticks: ticks.filter((tick) => Number.isInteger(tick) && tick >= 1 && tick <= n) },
    at: (layer) => from + ((layer - 1) / (n - 1)) * (to - from),
  };
}

/** SQNR of every layer with plain rounding and as built, from the input to the output. Pure. */
export function layersChart(layers: readonly LayerFigures[]): string {
  if (layers.length < 2) return '';
  const x = alongLayers(layers.length);
  const decibels = layers.flatMap(({ before, after }) => [shown(before), shown(after)]);
  const y = axisOf(decibels, HEIGHT - MARGIN.bottom, MARGIN.top);
  const place = (i: number, decibel: number): [string, string] => [
    x.at(i + 1).toFixed(1),
    y.at(shown(decibel)).toFixed(1),
  ];
  const path = (all: readonly number[]): string => `M${all.map((decibel, i) => place(i, decibel).join(' ')).join('L')}`;
  const dots = layers.map(({ node, op, before, after }, i) => {
    const tip = `${node} (${op}): ${before.toFixed(1)} dB with plain rounding, ${after.toFixed(1)} dB as built`;
    const [cx, cy] = place(i, after);
    return `<circle class="after" cx="${cx}" cy="${cy}" r="3"><title>${escapeHtml(tip)}</title></circle>`;
  });
  const body = [
    `<path class="before" d="${path(layers.map(({ before }) => before))}"/>`,
    `<path class="after" d="${path(layers.map(({ after }) => after))}"/>`,
    ...dots,
  ];
  const labels = { title: 'SQNR of the layers', xLabel: 'layer', yLabel: 'SQNR, dB' };
  const svg = framed({ width: WIDTH, height: HEIGHT, x, y, ...labels }, body.join(''));
  const legend =
    '<p class="legend"><i class="before"></i>plain rounding, whole ranges <i class="after"></i>as built</p>';
  return `<div class="charts wide">${svg}</div>${legend}`;
}

/** The layers with the lowest SQNR as built: name, operator, dB before and after. Pure. */
export const worstLayers = (layers: readonly LayerFigures[]): string[][] =>
  [...layers]
    .sort((a, b) => a.after - b.after)
    .slice(0, WORST)
    .map(({ node, op, before, after }) => [node, op, before.toFixed(1), after.toFixed(1)]);

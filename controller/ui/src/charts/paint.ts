/** What the charts on a canvas share: uPlot knows no CSS variables, so colours are read when it paints. */
import type uPlot from 'uplot';

export const CHART_HEIGHT_PX = 260;

/** The value of a colour token now. */
export const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const axisOf = (): uPlot.Axis => ({
  stroke: token('--muted'),
  grid: { stroke: token('--line'), width: 1 },
  ticks: { stroke: token('--line') },
});

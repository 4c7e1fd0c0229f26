import 'uplot/dist/uPlot.min.css';
import type { MeasurementView } from '@espalier/proto/api';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { charts as s } from '../strings/charts';
import { type Mark, switchMarks } from './marks';
import { axisOf, CHART_HEIGHT_PX, token } from './paint';

/** Upright lines with the name of what is served from there on. */
const markPlugin = (marks: readonly Mark[]): uPlot.Plugin => ({
  hooks: {
    draw: (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.strokeStyle = token('--muted');
      ctx.fillStyle = token('--muted');
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = 'left';
      ctx.setLineDash([4, 4]);
      for (const { atSeconds, label } of marks) {
        const x = plot.valToPos(atSeconds, 'x', true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        ctx.fillText(label, x + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
      }
      ctx.restore();
    },
  },
});

/** Colours are read here, at drawing time, so that a chart follows the scheme. */
function options(width: number, marks: readonly Mark[]): uPlot.Options {
  const axis = axisOf();
  const inMs = (value: number | null) => (value === null ? '–' : `${value.toFixed(2)} ms`);
  const series = (label: string, color: string, dash?: number[]): uPlot.Series => ({
    label,
    stroke: token(color),
    width: 2,
    dash,
    points: { show: true, size: 5 },
    value: (_plot, value) => inMs(value),
  });
  return {
    width,
    height: CHART_HEIGHT_PX,
    series: [{ label: s.time }, series('p50', '--series-1'), series('p95', '--series-2', [6, 4])],
    axes: [axis, { ...axis, size: 64, values: (_plot, values) => values.map((value) => `${value} ms`) }],
    scales: { y: { range: (_plot, min, max) => [Math.min(0, min), max * 1.15 || 1] } },
    plugins: [markPlugin(marks)],
  };
}

interface Props {
  readonly rows: readonly MeasurementView[];
  /** One sentence that says what the chart shows. */
  readonly label: string;
}

/** p50 and p95 of one device over time, in milliseconds from zero. A missing p95 (n < 90) stays a gap. */
export default function LatencyChart({ rows, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme('light');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read anew when the scheme changes
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const data: uPlot.AlignedData = [
      rows.map((row) => Date.parse(row.at) / 1000),
      rows.map((row) => row.p50Us / 1000),
      rows.map((row) => (row.p95Us === null ? null : row.p95Us / 1000)),
    ];
    const plot = new uPlot(options(element.clientWidth, switchMarks(rows)), data, element);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: CHART_HEIGHT_PX }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [rows, scheme]);
  return <div ref={box} role="img" aria-label={label} />;
}

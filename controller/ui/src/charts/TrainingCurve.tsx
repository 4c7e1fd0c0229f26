import 'uplot/dist/uPlot.min.css';
import type { CurvePoint } from '@espalier/proto/api';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { charts as s } from '../strings/charts';
import { axisOf, CHART_HEIGHT_PX, token } from './paint';

const options = (width: number): uPlot.Options => ({
  width,
  height: CHART_HEIGHT_PX,
  series: [
    { label: s.trained, value: (_plot, value) => (value === null ? '–' : `${value.toFixed(0)} %`) },
    { label: s.loss, stroke: token('--series-1'), width: 2, value: (_plot, value) => value?.toFixed(3) ?? '–' },
  ],
  axes: [
    { ...axisOf(), values: (_plot, values) => values.map((value) => `${value} %`) },
    { ...axisOf(), size: 64 },
  ],
  scales: { x: { time: false, range: [0, 100] }, y: { range: (_plot, _min, max) => [0, max * 1.1 || 1] } },
});

/** The loss over the training so far; it grows while the build runs. */
export default function TrainingCurve({ points }: { readonly points: readonly CurvePoint[] }) {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme('light');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read anew when the scheme changes
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const data: uPlot.AlignedData = [points.map(({ share }) => 100 * share), points.map(({ loss }) => loss)];
    const plot = new uPlot(options(element.clientWidth), data, element);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: CHART_HEIGHT_PX }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [points, scheme]);
  return <div ref={box} role="img" aria-label={s.lossLabel} />;
}

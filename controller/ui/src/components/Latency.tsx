import type { MeasuredLatency } from '@espalier/proto/api';
import { Tooltip } from '@mantine/core';
import { common } from '../strings/common';
import { formatUs } from './format';
import { Tone } from './Status';

interface Props {
  readonly latency: MeasuredLatency | null;
  readonly figure?: 'p50Us' | 'p95Us' | 'p99Us';
}

/** What a figure rests on, in words: n, devices and class. */
export const restsOn = (latency: MeasuredLatency): string =>
  common.latencyNote(
    common.sampleCount(latency.n),
    common.deviceCount(latency.devices),
    common.qualities[latency.class],
  );

/** A measured figure; what it rests on shows on hover and touch, a doubtful class beside it. */
export function Latency({ latency, figure = 'p50Us' }: Props) {
  if (!latency) return <span className="muted">{common.notMeasured}</span>;
  const value = latency[figure];
  const note = restsOn(latency);
  return (
    <Tooltip label={figure === 'p99Us' && value === null ? common.p99Unknown : note}>
      <span className="nowrap">
        {formatUs(value)}
        {latency.class !== 'clean' && (
          <span className="small">
            {' '}
            <Tone tone="warning">{common.quality[latency.class]}</Tone>
          </span>
        )}
      </span>
    </Tooltip>
  );
}

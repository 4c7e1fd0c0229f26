import type { MeasuredLatency } from '@espalier/proto/api';
import { Tooltip } from '@mantine/core';
import { common } from '../strings/common';
import { formatUs } from './format';
import { Tone } from './Status';

interface Props {
  readonly latency: MeasuredLatency | null;
  readonly figure?: 'p50Us' | 'p95Us' | 'p99Us';
}

/** A measured figure with what it rests on: n, devices and class, on hover and on focus; a doubtful class in words. */
export function Latency({ latency, figure = 'p50Us' }: Props) {
  if (!latency) return <span className="muted">{common.notMeasured}</span>;
  const value = latency[figure];
  const note = common.latencyNote(
    common.sampleCount(latency.n),
    common.deviceCount(latency.devices),
    common.qualities[latency.class],
  );
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

import { useLive } from '../api/live';
import { formatClock } from '../components/format';
import { Tone } from '../components/Status';
import { shell as s } from '../strings/shell';
import { useStale } from './stale';

/** Says whether what is on the page is live; when not, since when. */
export function LiveMark() {
  const { connected, lastMs } = useLive();
  const stale = useStale();
  return (
    <span className="small" role="status">
      {connected && <Tone tone="good">{s.live}</Tone>}
      {stale && <Tone tone="warning">{lastMs ? s.stale(formatClock(lastMs)) : s.connecting}</Tone>}
    </span>
  );
}

import { useEffect, useState } from 'react';
import { useLive } from '../api/live';
import { formatClock } from '../components/format';
import { Tone } from '../components/Status';
import { shell as s } from '../strings/shell';

/** A stream takes a moment to open; only a longer silence is worth a word. */
const PATIENCE_MS = 3_000;

/** Says whether what is on the page is live; when not, since when. */
export function LiveMark() {
  const { connected, lastMs } = useLive();
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (connected) return;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [connected]);
  return (
    <span className="small" role="status">
      {connected ? (
        <Tone tone="good">{s.live}</Tone>
      ) : (
        late && <Tone tone="warning">{lastMs ? s.stale(formatClock(lastMs)) : s.connecting}</Tone>
      )}
    </span>
  );
}

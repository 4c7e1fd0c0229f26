import { useEffect, useState } from 'react';
import { useLive } from '../api/live';

/** A stream takes a moment to open or to come back; only a longer silence is worth a word. */
const PATIENCE_MS = 3_000;

/** True while the page has not been live for longer than a moment: what it shows may be old. */
export function useStale(): boolean {
  const { connected } = useLive();
  const [stale, setStale] = useState(false);
  useEffect(() => {
    setStale(false);
    if (connected) return;
    const timer = setTimeout(() => setStale(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [connected]);
  return stale;
}

import { useEffect, useState } from 'react';
import { common } from '../strings/common';
import { formatExact, formatRelative } from './format';

const TICK_MS = 15_000;

/** A moment: relative, and exact on hover. Moves on by itself. */
export function When({ at }: { readonly at: string | null }) {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span className="muted">{common.never}</span>;
  return (
    <time dateTime={at} title={formatExact(at)} className="nowrap">
      {formatRelative(at, nowMs)}
    </time>
  );
}

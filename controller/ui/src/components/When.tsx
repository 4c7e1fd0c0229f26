import { useEffect, useState } from 'react';
import { common } from '../strings/common';
import { formatExact, formatRelative } from './format';

const TICK_MS = 15_000;

/** A moment: relative, and exact on hover. Moves on by itself. */
export function When({ at }: { readonly at: string | null }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span className="muted">{common.never}</span>;
  return (
    <time dateTime={at} title={formatExact(at)} className="nowrap">
      {formatRelative(at, Date.now())}
    </time>
  );
}

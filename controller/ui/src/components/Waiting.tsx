import { Skeleton } from '@mantine/core';
import { useEffect, useState } from 'react';
import { common } from '../strings/common';

const PATIENCE_MS = 200;
const names = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth'] as const;

/** Grey bars in place of what comes, after a moment in which most answers have come already. */
export function Waiting({ lines = 4 }: { readonly lines?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!late) return null;
  return (
    <div className="stack" role="status" aria-label={common.loading}>
      {names.slice(0, lines).map((name) => (
        <Skeleton key={name} height={36} />
      ))}
    </div>
  );
}

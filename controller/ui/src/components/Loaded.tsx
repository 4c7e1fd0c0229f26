import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ErrorNote } from './ErrorNote';
import { Waiting } from './Waiting';

interface Props<T> {
  readonly query: Pick<UseQueryResult<T>, 'data' | 'error' | 'refetch'>;
  readonly lines?: number;
  readonly children: (data: T) => ReactNode;
}

/** What a query gave; bars while it has given nothing; its error above data that is shown already, never instead. */
export function Loaded<T>({ query, lines, children }: Props<T>) {
  const { data, error, refetch } = query;
  return (
    <>
      {error && <ErrorNote thrown={error} onRetry={() => void refetch()} />}
      {data !== undefined ? children(data) : !error && <Waiting lines={lines} />}
    </>
  );
}

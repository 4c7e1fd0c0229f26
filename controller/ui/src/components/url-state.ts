import { useCallback } from 'react';
import { useLocation, useSearch } from 'wouter';

/** One term of the page's address as state, so that a reload or a sent link shows the same view. */
export function useUrlState(name: string, initial = ''): readonly [string, (value: string) => void] {
  const search = useSearch();
  const [path, go] = useLocation();
  const value = new URLSearchParams(search).get(name) ?? initial;
  const set = useCallback(
    (next: string) => {
      const terms = new URLSearchParams(window.location.search);
      if (next === initial) terms.delete(name);
      else terms.set(name, next);
      const text = terms.toString();
      go(text ? `${path}?${text}` : path, { replace: true });
    },
    [go, path, name, initial],
  );
  return [value, set];
}

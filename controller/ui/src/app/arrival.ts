import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';

/**
 * After a link to another page: its top is in sight and the focus is in its content, as after a load. Going back keeps
 * the scroll position that the browser restores; a changed filter (same path) moves nothing.
 */
export function useArrival(): void {
  const [path] = useLocation();
  const lastPath = useRef(path);
  const wentBack = useRef(false);
  useEffect(() => {
    const onBack = () => {
      wentBack.current = true;
    };
    window.addEventListener('popstate', onBack);
    return () => window.removeEventListener('popstate', onBack);
  }, []);
  useEffect(() => {
    if (lastPath.current === path) return;
    lastPath.current = path;
    document.getElementById('main')?.focus({ preventScroll: true });
    if (!wentBack.current) window.scrollTo(0, 0);
    wentBack.current = false;
  }, [path]);
}

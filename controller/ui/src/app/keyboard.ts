import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';
import { places } from './navigation';

/** How long `g` waits for its second key. */
const CHORD_MS = 1_200;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** `g d` and its like go to a page, `/` to the page's filter. Silent while one types or a modifier is held. */
export function useKeys(): void {
  const [, go] = useLocation();
  const chordAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const filter = document.querySelector<HTMLElement>('[data-filter]');
      if (event.key === '/' && filter) {
        event.preventDefault();
        filter.focus();
      } else if (event.key === 'g') {
        chordAt.current = event.timeStamp;
      } else if (event.timeStamp - chordAt.current < CHORD_MS) {
        chordAt.current = Number.NEGATIVE_INFINITY;
        const place = places.find(({ key }) => key === event.key);
        if (place) go(place.path);
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [go]);
}

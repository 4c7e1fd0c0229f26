import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';
import { places } from './navigation';

/** How long `g` waits for its second key. */
const CHORD_MS = 1_200;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Moves the focus to the first link of the next (1) or previous (-1) row of the page's tables. */
function stepRow(by: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLElement>('main tbody td:first-child a')];
  const row = document.activeElement?.closest('tr');
  const at = links.findIndex((link) => row?.contains(link));
  const next = at < 0 ? links[0] : links[at + by];
  next?.focus();
}

/**
 * `g d` and its like go to a page, `/` to the page's filter, `j` and `k` through rows, `?` shows all of this.
 * Silent while one types, while a dialog is open, or while a modifier is held.
 */
export function useKeys(showKeys: () => void): void {
  const [, go] = useLocation();
  const chordAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const keys: Readonly<Record<string, (event: KeyboardEvent) => void>> = {
      '/': (event) => {
        const filter = document.querySelector<HTMLElement>('[data-filter]');
        if (filter) event.preventDefault();
        filter?.focus();
      },
      '?': showKeys,
      j: () => stepRow(1),
      k: () => stepRow(-1),
      g: (event) => {
        chordAt.current = event.timeStamp;
      },
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('[role="dialog"]')) return;
      const place = places.find(({ key }) => key === event.key);
      if (place && event.timeStamp - chordAt.current < CHORD_MS) go(place.path);
      else keys[event.key]?.(event);
      if (event.key !== 'g') chordAt.current = Number.NEGATIVE_INFINITY;
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [go, showKeys]);
}

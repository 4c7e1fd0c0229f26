import { bytes, relievedOf } from '../report/format.js';
import type { Point } from '../search/points.js';
import type { Terminal } from './terminal.js';

/** A line on stderr for each build that a search measured, and how many are on the front by then. */
export const pointPrinter =
  ({ err, isInteractive }: Terminal) =>
  (point: Point, front: readonly Point[]): void => {
    const { precision, drop, sqnrDb, speedup, bytes: size } = point;
    const times = speedup === null ? 'not timed' : `${speedup.toFixed(2)}x`;
    const figures = [`drop ${drop.toFixed(2)}`, `${sqnrDb.toFixed(1)} dB`, times, bytes(size)].join(', ');
    const place = front.includes(point) ? `on the front, of ${front.length}` : 'not on the front';
    err(
      `${isInteractive ? '\r\x1b[K' : ''}${[precision, relievedOf(point)].filter(Boolean).join(', ')}: ${figures}; ${place}\n`,
    );
  };

/** What every journey must come to. Speed is not judged here (test/bench is). */
import type { Test } from 'tap';
import type { JourneyResult } from './journey.ts';

export function checkJourney(t: Test, result: JourneyResult): void {
  t.equal(result.rollout, 'FINISHED', 'the last rollout finished');
  t.ok(result.served > 0, 'the device answered inference requests');
  t.ok(
    result.decisions.some(({ action }) => action === 'build'),
    'the loop decided to build, by itself',
  );
  t.ok(
    result.decisions.every(({ reason }) => reason.length > 10),
    'every decision says why',
  );
  t.ok(result.float.p50Us > 0, 'the float build was measured');
  t.ok(result.variant, 'a variant was made');
  t.equal(result.variant?.n, 2000, 'and proven on every evaluation image');
  t.ok((result.variant?.top1 ?? 0) >= result.float.top1 - 1, 'within one point of float');
  t.ok((result.variant?.sizeRatio ?? 0) > 2, 'and much smaller');
}

/**
 * The whole journey with its real parts, on each database and broker that is installed: enrolment, float rollout,
 * measurement, missed budget, int8 build, proof, canary, finished rollout. Speed is not judged here (test/bench is).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type JourneyResult, runJourney } from '../support/journey.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { startPostgres } from '../support/postgres.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-journey-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

function check(t: Test, result: JourneyResult): void {
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

t.test('on the embedded database and broker, and again on the same data directory', async (t) => {
  const dataDir = path.join(scratch, 'embedded');
  check(t, (await runJourney(dataDir)).result);
  check(t, (await runJourney(dataDir)).result);
});

t.test('on PostgreSQL and Mosquitto', async (t) => {
  const [postgres, mosquitto] = [await startPostgres(), await startMosquitto(path.join(scratch, 'real'))];
  t.teardown(async () => {
    if ('stop' in postgres) await postgres.stop();
    if ('stop' in mosquitto) await mosquitto.stop();
  });
  if ('skipped' in postgres || 'skipped' in mosquitto) {
    t.comment(
      `skipped: ${'skipped' in postgres ? postgres.skipped : ''} ${'skipped' in mosquitto ? mosquitto.skipped : ''}`,
    );
    return;
  }
  const { result } = await runJourney(path.join(scratch, 'real'), {
    DATABASE_URL: postgres.url,
    MQTT_URL: mosquitto.url,
  });
  check(t, result);
});

/** The journey of journey.test.ts again on the same data directory, and on each database and broker that is installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { checkJourney } from '../support/check-journey.ts';
import { runJourney } from '../support/journey.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { startPostgres } from '../support/postgres.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-journey-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

t.test('again on the same data directory', async (t) => {
  const dataDir = path.join(scratch, 'embedded');
  checkJourney(t, (await runJourney(dataDir)).result);
  checkJourney(t, (await runJourney(dataDir)).result);
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
  checkJourney(t, result);
});

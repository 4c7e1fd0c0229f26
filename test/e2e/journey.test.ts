/**
 * The whole journey with its real parts: enrolment, float rollout, measurement, missed budget, int8 build, proof, canary,
 * finished rollout. The same on other databases and brokers: journeys.slow.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { checkJourney } from '../support/check-journey.ts';
import { runJourney } from '../support/journey.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-journey-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

t.test('on the embedded database and broker', async (t) => {
  checkJourney(t, (await runJourney(path.join(scratch, 'embedded'))).result);
});

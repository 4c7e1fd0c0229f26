/** A controller that is killed with -9 in the middle of a rollout: the next one goes on, and the loop comes to its end. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DecisionView, Page, RolloutRow } from '@espalier/proto/api';
import t from 'tap';
import { signInByLink } from '../support/admin.ts';
import { freePorts } from '../support/journey.ts';
import { start, until } from '../support/process.ts';

const MAIN = 'controller/server/dist/main.js';
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-kill-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const env = { ...freePorts, ESPALIER_LOG_LEVEL: 'info' };

t.test('kill -9 during the rollout that the closed loop began', async (t) => {
  const dataDir = path.join(scratch, 'data');
  const first = start(MAIN, ['--sample', '--data-dir', dataDir], env);
  t.teardown(() => first.stop('SIGKILL'));
  await first.waitFor(/rollout for x64/, 120_000);
  await first.stop('SIGKILL');

  const second = start(MAIN, ['--data-dir', dataDir], env);
  t.teardown(() => second.stop());
  const call = await signInByLink(new URL((await second.waitFor(/http:\S+link=\S+/))[0]));
  const story = await until(
    'the loop judges its rollout',
    async () => {
      const { items } = await call<Page<DecisionView>>('GET', '/decisions');
      return items.some(({ action }) => action === 'promoted' || action === 'rolled-back') ? items : null;
    },
    90_000,
  );
  t.comment(story.map(({ action, reason }) => `${action}: ${reason}`).join('\n'));
  t.strictSame(
    story
      .toReversed()
      .map(({ action }) => action)
      .slice(0, 2),
    ['build', 'rollout'],
    'nothing was decided twice',
  );
  t.equal(story.length, 3);
  const { items: rollouts } = await call<Page<RolloutRow>>('GET', '/rollouts');
  t.equal(rollouts.length, 2, 'float and int8: no rollout was made again');
  t.ok(
    rollouts.every(({ state, total }) => total === 1 && ['FINISHED', 'ROLLING_BACK', 'ROLLED_BACK'].includes(state)),
  );
  t.equal(await second.stop('SIGINT'), 0);
  const left = spawnSync('pgrep', ['-f', dataDir], { encoding: 'utf8' }).stdout.trim();
  t.equal(left, '', 'the agent of the killed controller was ended too');
});

/** The agent's Debian package through its life: installed, upgraded under a serving agent, removed, purged. */
import type { Caller } from '../../controller/server/test/support/controller.ts';
import type { Checks } from '../support/checks.ts';
import { AGENT, infers, type ServedDevice, servesAgain } from './device.ts';
import { type Lab, property } from './lab.ts';

export async function installChecks(checks: Checks, lab: Lab, deb: string): Promise<void> {
  await checks.check('the package installs, and the agent is enabled', async () => {
    await lab.sh(`dpkg -i ${deb} && systemctl is-enabled -q ${AGENT}`);
  });
  await checks.check('it waits for an enrolment instead of failing again and again', async () => {
    await lab.sh(`systemctl start ${AGENT}; ! systemctl is-failed -q ${AGENT}`);
    if ((await property(lab, AGENT, 'ConditionResult')) !== 'no') throw new Error('its condition was met');
  });
  await checks.check('the packaged runtime starts', async () => {
    await lab.sh('espalier-agent facts | grep -q x64');
  });
}

export async function upgradeChecks(
  checks: Checks,
  lab: Lab,
  admin: Caller,
  device: ServedDevice,
  deb: string,
): Promise<void> {
  await checks.check('an upgrade keeps enrolment and build, and serves when dpkg returns', async () => {
    const before = await property(lab, AGENT, 'MainPID');
    const sinceMs = Date.now();
    let returned = false;
    const upgraded = lab.sh(`dpkg -i ${deb}`).finally(() => (returned = true));
    const longestMs = await longestSilence(() => returned);
    await upgraded;
    if ((await property(lab, AGENT, 'MainPID')) === before) throw new Error('the old process still runs');
    await servesAgain(lab, admin, device, sinceMs);
    const version = await lab.sh(`dpkg-query -W -f '\${Version}' ${AGENT}`);
    return `${version}, at most ${(longestMs / 1000).toFixed(1)} s without an answer`;
  });
}

/** The longest time between two answers while an application asks on and on. */
async function longestSilence(ended: () => boolean): Promise<number> {
  let longestMs = 0;
  for (let lastMs = Date.now(); !ended(); await new Promise((resolve) => setTimeout(resolve, 50))) {
    const answered = await infers().then(
      () => true,
      () => false,
    );
    const nowMs = Date.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    if (answered) lastMs = nowMs;
  }
  return longestMs;
}

export async function removalChecks(checks: Checks, lab: Lab): Promise<void> {
  await checks.check('removal stops the agent and keeps state and configuration', async () => {
    await lab.sh(`
      touch /var/lib/espalier/kept
      dpkg -r ${AGENT}
      ! systemctl is-active -q ${AGENT}
      test -e /var/lib/espalier/kept
      test -e /etc/espalier/agent.yaml`);
  });
  await checks.check('purging leaves nothing', async () => {
    await lab.sh(`
      dpkg -P ${AGENT}
      test ! -e /var/lib/espalier
      test ! -e /var/cache/espalier
      test ! -e /etc/espalier
      test ! -e /etc/systemd/system/${AGENT}.service.d
      test ! -e /usr/lib/${AGENT}`);
  });
}

/** What systemd does for an agent that died, and for one that lives but does nothing any more. */
import type { Caller } from '../../controller/server/test/support/controller.ts';
import type { Checks } from '../support/checks.ts';
import { until } from '../support/process.ts';
import { AGENT, type ServedDevice, servesAgain } from './device.ts';
import { type Lab, property } from './lab.ts';

/** Long enough for a busy machine to send four pings in time, short enough to wait for. */
const WATCHDOG_S = 8;

/** Waits until systemd has started the unit once more than before, and the new process said that it is ready. */
async function restarted(lab: Lab, restartsBefore: string): Promise<void> {
  await until('systemd to start it again', async () => {
    const restarts = await property(lab, AGENT, 'NRestarts');
    const state = await property(lab, AGENT, 'ActiveState');
    return restarts !== restartsBefore && state === 'active' ? true : null;
  });
}

export async function recoveryChecks(checks: Checks, lab: Lab, admin: Caller, device: ServedDevice): Promise<void> {
  await checks.check('a killed agent is started again, serves the same build and is online', async () => {
    const before = await property(lab, AGENT, 'NRestarts');
    const sinceMs = Date.now();
    await lab.sh(`kill -9 $(systemctl show -P MainPID ${AGENT})`);
    await restarted(lab, before);
    await servesAgain(lab, admin, device, sinceMs);
  });
  await checks.check('an agent that hangs is ended by the watchdog and started again', async () => {
    await lab.sh(`
      mkdir -p /etc/systemd/system/${AGENT}.service.d
      printf '[Service]\\nWatchdogSec=${WATCHDOG_S}\\n' > /etc/systemd/system/${AGENT}.service.d/watchdog.conf
      systemctl daemon-reload
      systemctl restart ${AGENT}`);
    const before = await property(lab, AGENT, 'NRestarts');
    const sinceMs = Date.now();
    await lab.sh(`kill -STOP $(systemctl show -P MainPID ${AGENT})`);
    await restarted(lab, before);
    const journal = await lab.sh(`journalctl -u ${AGENT} -o cat --no-pager | grep -i watchdog`);
    if (!journal.includes(`Watchdog timeout (limit ${WATCHDOG_S}s)`)) throw new Error(journal);
    await servesAgain(lab, admin, device, sinceMs);
  });
}

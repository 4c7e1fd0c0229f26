/** The controller's unit: installed as docs/install.md says, over a checkout that it can only read. */
import type { JobView, ModelRow, SystemView } from '@espalier/proto/api';
import { type Caller, caller, signInAsAdmin } from '../../controller/server/test/support/controller.ts';
import type { Checks } from '../support/checks.ts';
import { until } from '../support/process.ts';
import { type ServedDevice, servesAgain } from './device.ts';
import { exposure, type Lab, property } from './lab.ts';

const UNIT = 'espalier-controller';
const url = 'http://127.0.0.1:4280';

const INSTALL = `
  cd /opt/espalier/deploy/systemd
  install -D -m 644 sysusers-controller.conf /etc/sysusers.d/${UNIT}.conf
  install -m 644 ${UNIT}.service /etc/systemd/system/
  systemd-sysusers
  systemctl daemon-reload
  systemctl enable --now ${UNIT}`;

/** @returns an administrator who came by the link in the journal, or null when there is no controller */
export async function controllerChecks(checks: Checks, lab: Lab): Promise<Caller | null> {
  const started = await checks.check('the controller is started when it answers', async () => {
    await lab.sh(`${INSTALL} || { journalctl -u ${UNIT} -o cat --no-pager >&2; exit 1; }`);
    const response = await fetch(`${url}/health`);
    if (response.status !== 200) throw new Error(`health is ${response.status}: ${await response.text()}`);
    return property(lab, UNIT, 'StatusText');
  });
  if (!started) return null;
  await checks.check('it is confined', () => exposure(lab, UNIT));
  await checks.check('it has a user of its own, and a state that only this user reads', async () => {
    const owner = await lab.sh('stat -c "%U %a" /var/lib/espalier-controller');
    if (owner !== 'espalier-controller 700') throw new Error(owner);
  });
  let admin: Caller | null = null;
  await checks.check('the link in its journal signs an administrator in', async () => {
    const journal = await lab.sh(`journalctl -u ${UNIT} -o cat --no-pager`);
    const [adminLink] = /http\S+sign-in\?link=\S+/.exec(journal) ?? [];
    if (!adminLink) throw new Error(journal);
    const visitor = await signInAsAdmin({ url, adminLink });
    const { body } = await visitor.call<{ secret: string }>('POST', '/tokens', { name: 'laboratory', role: 'admin' });
    admin = caller({ url }, { authorization: `Bearer ${body.secret}` });
  });
  return admin;
}

/** With a device connected and a build under way, which is when there is something to lose. */
export async function controllerRestartChecks(
  checks: Checks,
  lab: Lab,
  admin: Caller,
  device: ServedDevice,
): Promise<void> {
  let jobId = '';
  await checks.check('the controller stops cleanly in the middle of a build', async () => {
    jobId = await startBuild(admin);
    // What an open web app holds on to.
    await admin.open('/events');
    const startMs = Date.now();
    await lab.sh(`systemctl stop ${UNIT}`);
    const seconds = (Date.now() - startMs) / 1000;
    const properties = ['Result', 'ExecMainCode', 'ExecMainStatus'].map((name) => property(lab, UNIT, name));
    const ended = (await Promise.all(properties)).join(' ');
    // 1: it exited, no signal ended it [sigaction(2), CLD_EXITED].
    if (ended !== 'success 1 0') throw new Error(`it ended with ${ended} after ${seconds} s`);
    return `in ${seconds.toFixed(1)} of ${await property(lab, UNIT, 'TimeoutStopUSec')}`;
  });
  await checks.check('started again it knows devices, models and accounts, and the device comes back', async () => {
    const sinceMs = Date.now();
    await lab.sh(`systemctl start ${UNIT}`);
    const { body } = await admin.call<SystemView>('GET', '/system');
    if (body.empty !== false) throw new Error(JSON.stringify(body));
    await servesAgain(lab, admin, device, sinceMs);
  });
  await checks.check('and it takes the build up again without holding the stop against it', async () => {
    const job = await until('the build', async () => {
      const { body } = await admin.call<JobView>('GET', `/jobs/${jobId}`);
      return body.endedAt ? body : null;
    });
    const said = job.log.map(({ text }) => text);
    if (job.state !== 'SUCCEEDED' || job.attempt !== 1 || !said.some((text) => text.startsWith('back to the queue')))
      throw new Error(`${job.state} in attempt ${job.attempt}:\n${said.join('\n')}`);
  });
}

/** A controller that ended and was started again would look well to every other check. */
export async function controllerStayedCheck(checks: Checks, lab: Lab): Promise<void> {
  await checks.check('the controller never ended meanwhile', async () => {
    const restarts = await property(lab, UNIT, 'NRestarts');
    if (restarts !== '0') throw new Error(`systemd started it again ${restarts} times`);
  });
}

/** @returns a build that has a worker of its own */
async function startBuild(admin: Caller): Promise<string> {
  const { body: models } = await admin.call<ModelRow[]>('GET', '/models');
  const wanted = { recipes: ['int8'] };
  const { body: jobs } = await admin.call<JobView[]>('POST', `/models/${models[0]!.id}/optimize`, wanted);
  const { id } = jobs[0]!;
  return until('a worker', async () => {
    const { body } = await admin.call<JobView>('GET', `/jobs/${id}`);
    return body.state === 'RUNNING' && body.step !== null ? id : null;
  });
}

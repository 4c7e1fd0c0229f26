/** The checks in their order: each finds the system as the one before left it. Started by run.ts. */
import path from 'node:path';
import { Checks } from '../support/checks.ts';
import { root as checkout } from '../support/process.ts';
import { agentServiceChecks } from './agent-service.ts';
import { controllerChecks, controllerRestartChecks, controllerStayedCheck } from './controller.ts';
import { bootLab } from './lab.ts';
import { installChecks, removalChecks, upgradeChecks } from './package.ts';
import { recoveryChecks } from './recovery.ts';

const [root = '', first = '', second = ''] = process.argv.slice(2);
const inside = (deb: string): string => `/pkg/${path.basename(deb)}`;

const checks = new Checks();
const lab = await bootLab({ root, binds: { '/pkg': path.dirname(first), '/opt/espalier': checkout } });
try {
  await installChecks(checks, lab, inside(first));
  const admin = await controllerChecks(checks, lab);
  const device = admin && (await agentServiceChecks(checks, lab, admin));
  if (admin && device) {
    await controllerRestartChecks(checks, lab, admin, device);
    await recoveryChecks(checks, lab, admin, device);
    await upgradeChecks(checks, lab, admin, device, inside(second));
    await controllerStayedCheck(checks, lab);
  }
  await removalChecks(checks, lab);
} finally {
  await lab.close();
}
checks.finish();

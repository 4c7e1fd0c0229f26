/** The laboratory's device as its application and its controller see it. */
import type { DeviceView } from '@espalier/proto/api';
import { sendSamples } from '@espalier/server/sample/sample-requests';
import type { Caller } from '../../controller/server/test/support/controller.ts';
import { until } from '../support/process.ts';
import type { Lab } from './lab.ts';

export const AGENT = 'espalier-agent';
export const MODEL = 'fashion-ds';
export const endpoint = 'http://127.0.0.1:4290';

/** A device and the build that it serves. */
export interface ServedDevice {
  readonly id: string;
  readonly digest: string;
}

export async function infers(): Promise<void> {
  const answered = await sendSamples(endpoint, MODEL, 3);
  if (answered !== 3) throw new Error(`${answered} of 3 inferences were answered`);
}

/** What `espalier-agent status` says of identity and build. */
export async function statusOf(lab: Lab): Promise<ServedDevice> {
  const { deviceId, current } = JSON.parse(await lab.sh('espalier-agent status'));
  return { id: deviceId, digest: current };
}

/** The same device serves the same build, and its controller heard so after that moment. */
export async function servesAgain(lab: Lab, admin: Caller, device: ServedDevice, sinceMs: number): Promise<void> {
  await infers();
  const now = await statusOf(lab);
  if (now.id !== device.id || now.digest !== device.digest)
    throw new Error(`it was ${JSON.stringify(device)} and is ${JSON.stringify(now)}`);
  await until('the controller to see the device online with its build', async () => {
    const { body } = await admin.call<DeviceView>('GET', `/devices/${device.id}`);
    const heard = Date.parse(body.lastSeenAt ?? '') > sinceMs;
    return heard && body.status === 'online' && body.serving?.digest === device.digest ? true : null;
  });
}

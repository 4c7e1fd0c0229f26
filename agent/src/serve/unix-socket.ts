import { lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { isMissing } from '../common/files.js';
import { PortTaken } from '../errors.js';

/** Removes a socket file that a killed process has left; one on which somebody answers stays. @throws ESP_PORT_TAKEN */
export async function freeSocket(file: string): Promise<void> {
  try {
    if (!lstatSync(file).isSocket()) throw PortTaken({ where: file });
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const isUsed = await new Promise<boolean>((resolve) => {
    const probe = net.connect(file, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (isUsed) throw PortTaken({ where: file });
  unlinkSync(file);
}

import { fork } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import type { NetworkTimes } from '@espalier/proto';
import { TimingFailed } from '../../errors.js';
import type { NetworkTask } from './time-network.js';

/** Serving comes first. */
const LOW_PRIORITY = 10;

/**
 * Times a network in a child process, which the signal kills.
 * @throws ESP_TIMING_FAILED, and the signal's reason
 */
export function timeInChild(task: NetworkTask, signal: AbortSignal): Promise<NetworkTimes> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    if (child.pid) os.setPriority(child.pid, LOW_PRIORITY);
    const kill = (): void => void child.kill('SIGKILL');
    // Loading is not counted in the task's own limit.
    const timer = setTimeout(kill, 3 * task.limitMs + 30_000);
    signal.addEventListener('abort', kill, { once: true });
    let answer: { times?: NetworkTimes; cause?: string } = {};
    child.on('message', (message) => (answer = message as typeof answer));
    child.on('exit', (code, ended) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
      if (answer.times) return resolve(answer.times);
      if (signal.aborted) return reject(signal.reason);
      reject(TimingFailed({ sha256: task.sha256, cause: answer.cause ?? `its process ended with ${ended ?? code}` }));
    });
    child.send(task, () => undefined);
  });
}

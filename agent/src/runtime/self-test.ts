import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SelfTestCrashed, SelfTestFailed } from '../errors.js';
import type { SelfTestVerdict } from './self-test-child.js';

/**
 * Runs a slot's golden cases in a child process, within a time limit.
 * @throws ESP_SELF_TEST_FAILED when the answers differ or the time is over, ESP_SELF_TEST_CRASHED when the child dies
 */
export function runSelfTest(slot: string, limitMs: number, signal: AbortSignal): Promise<{ cases: number }> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./self-test-child.js', import.meta.url)), [slot], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    let verdict: SelfTestVerdict | null = null;
    let isLate = false;
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, limitMs);
    signal.addEventListener('abort', kill, { once: true });
    child.on('message', (message) => (verdict = message as SelfTestVerdict));
    child.on('exit', (code, ended) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
      if (signal.aborted) return reject(signal.reason);
      if (verdict?.ok) return resolve({ cases: verdict.cases });
      if (verdict) return reject(SelfTestFailed({ cause: verdict.cause }));
      if (isLate) return reject(SelfTestFailed({ cause: `no verdict within ${limitMs / 1000} s` }));
      reject(SelfTestCrashed({ attempts: 1, cause: `its process ended with ${ended ?? code} and no verdict` }));
    });
  });
}

/** systemd's notification protocol without native code: Node has no AF_UNIX datagrams, so the helper program sends. */
import { spawn } from 'node:child_process';
import type { Log } from './log.js';

export interface Notifier {
  ready(status: string): void;
  stopping(): void;
  /** Pings the watchdog for as long as `healthy` says yes; a silent watchdog makes systemd restart the unit. */
  watch(healthy: () => Promise<boolean>): () => void;
}

const nothing: Notifier = { ready: () => undefined, stopping: () => undefined, watch: () => () => undefined };

/** Does nothing outside a unit of Type=notify (NOTIFY_SOCKET is not set). */
export function makeNotifier(env: NodeJS.ProcessEnv, log: Log): Notifier {
  if (!env.NOTIFY_SOCKET) return nothing;
  const send = (...assignments: string[]): void => {
    const child = spawn('systemd-notify', assignments, { stdio: 'ignore' });
    child.on('error', (error) => log.warn({ error: error.message }, 'systemd-notify did not start'));
  };
  return {
    ready: (status) => send('READY=1', `STATUS=${status}`),
    // `systemd-notify --stopping` does not exist before version 253; the plain assignment does.
    stopping: () => send('STOPPING=1'),
    watch(healthy) {
      const limitUs = Number(env.WATCHDOG_USEC ?? 0);
      if (!limitUs) return () => undefined;
      const timer = setInterval(() => {
        healthy().then(
          (well) => well && send('WATCHDOG=1'),
          (error: Error) => log.warn({ error: error.message }, 'health is unknown, the watchdog is not pinged'),
        );
      }, limitUs / 4000);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}

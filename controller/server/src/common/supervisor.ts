/** systemd's notification protocol without native code: Node has no AF_UNIX datagrams, so the helper program sends. */
import { spawn } from 'node:child_process';

/** Tells the supervisor assignments of sd_notify(3), such as `READY=1`. */
export type Notify = (...assignments: string[]) => void;

/**
 * Does nothing outside a unit of Type=notify. The socket is taken out of `env`: a child that inherits it, such as the
 * sample's agent, would speak for this unit.
 */
export function takeSupervisor(env: NodeJS.ProcessEnv, warn: (text: string) => void): Notify {
  const { NOTIFY_SOCKET: socket } = env;
  if (!socket) return () => undefined;
  delete env.NOTIFY_SOCKET;
  return (...assignments) => {
    const child = spawn('systemd-notify', assignments, { stdio: 'ignore', env: { ...env, NOTIFY_SOCKET: socket } });
    child.on('error', ({ message }) => warn(`systemd-notify did not start: ${message}`));
  };
}

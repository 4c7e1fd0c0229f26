/** Other inference servers under the same load, where they are installed: Triton and MLServer, beside the plain Node server. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { load, program } from './tools.ts';

export interface Peer {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly url: string;
  readonly grpc: boolean;
}

export interface PeerFolders {
  /** What starts them, as source. */
  readonly source: string;
  /** Where setup.sh has installed them; may lack any of them. */
  readonly installed: string;
}

/** The peers that can be run with a model. */
export function peersFor(file: string, { source, installed }: PeerFolders): Peer[] {
  const of = (name: string): string => path.join(installed, name, 'bin', 'python');
  const all: Peer[] = [
    {
      ...{ name: 'naive Node server', command: process.execPath, url: 'http://127.0.0.1:8300', grpc: false },
      args: [program('naive.mjs'), '--model', file, '--port', '8300'],
    },
    {
      ...{ name: 'Triton', command: of('triton'), url: 'http://127.0.0.1:8200', grpc: false },
      args: [path.join(source, 'run_pytriton.py'), '--model', file, '--port', '8200'],
    },
    {
      ...{ name: 'MLServer', command: of('mlserver'), url: 'http://127.0.0.1:8101', grpc: true },
      args: [path.join(source, 'run_mlserver.py'), '--model', file, '--port', '8100'],
    },
  ];
  return all.filter(({ command }) => existsSync(command));
}

const START_MS = 120_000;

/** Runs a peer while `use` is under way; it is there when it answers one request. */
export async function withPeer<T>(
  { name, command, args, url, grpc }: Peer,
  shape: string,
  use: (pid: number) => Promise<T>,
): Promise<T> {
  // A group of its own: these servers have children that outlive them.
  const child = spawn(command, args, { detached: true, stdio: 'ignore' });
  const pid = child.pid!;
  try {
    const probe = { mode: 'probe', seconds: 0.01, warm: 0, shape, ...(grpc ? { grpc } : {}) };
    for (const untilMs = Date.now() + START_MS; ; await new Promise((resolve) => setTimeout(resolve, 500))) {
      const { ok } = await load(url, probe).catch(() => ({ ok: 0 }));
      if (ok > 0) return await use(pid);
      if (child.exitCode !== null || Date.now() > untilMs) throw new Error(`${name} did not answer`);
    }
  } finally {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      try {
        process.kill(-pid, signal);
      } catch {
        // It has ended already.
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

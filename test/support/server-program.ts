/** Servers of other projects (PostgreSQL, Mosquitto) as children of a test: found, started, stopped, never left over. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import path from 'node:path';

/** A running server, or why there is none here. */
export type Server = { readonly url: string; stop(): Promise<void> } | { readonly skipped: string };

/** The full path of a program in PATH or where Debian keeps servers, or null. */
export function findProgram(name: string): string | null {
  const postgresRoot = '/usr/lib/postgresql';
  const versions = readable(postgresRoot).sort((a, b) => Number(b) - Number(a));
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter),
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/local/sbin',
    ...versions.map((version) => path.join(postgresRoot, version, 'bin')),
  ];
  return folders.map((folder) => path.join(folder, name)).find(isExecutable) ?? null;
}

function readable(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A child whose output is kept for the error message, and which dies with this process. */
export class ServerProgram {
  private readonly program: string;
  private text = '';
  private ended = false;
  private readonly child: ChildProcess;
  private readonly gone: Promise<void>;
  private readonly killAtExit = (): void => void this.child.kill('SIGKILL');

  constructor(program: string, args: readonly string[], options: SpawnOptions = {}) {
    this.program = program;
    this.child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    }
    this.gone = new Promise((resolve) => {
      this.child.once('error', (error) => this.end(error.message, resolve));
      this.child.once('close', (code, signal) => this.end(`ended with ${code ?? signal}`, resolve));
    });
    process.once('exit', this.killAtExit);
  }

  /** Waits until `ready` says yes; fails with the program's own words when it ends, or is not ready in time. */
  async untilReady(ready: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await ready())) {
      if (this.ended || Date.now() > deadline) {
        await this.stop('SIGKILL');
        throw new Error(`${this.program} did not get ready:\n${this.text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Sends the signal and waits for the end; SIGKILL after ten seconds. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const timer = setTimeout(this.killAtExit, 10_000);
    if (!this.ended) this.child.kill(signal);
    await this.gone;
    clearTimeout(timer);
    process.off('exit', this.killAtExit);
  }

  private end(why: string, resolve: () => void): void {
    this.ended = true;
    this.text += `\n(${why})`;
    resolve();
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LAUNCHER = path.join(import.meta.dirname, '..', '..', '..', '..', 'agent', 'bin', 'espalier-agent.mjs');
const PREFERRED_PORT = 4290;

const ORPHAN_WAIT_MS = 10_000;

/** The process that holds the lock of an agent's data directory, if it is alive and an agent of that directory. */
function lockHolder(dataDir: string): number | null {
  try {
    const pid = Number(readFileSync(path.join(dataDir, 'agent.lock'), 'utf8').split(' ')[0]);
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return pid > 0 && command.includes(dataDir) ? pid : null;
  } catch {
    return null; // no lock, or no such process
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** The sample's device: a real agent in a process of its own, with a data directory of its own. */
export class SampleAgent {
  #child: ChildProcess | null = null;

  constructor(private readonly dataDir: string) {}

  get isEnrolled(): boolean {
    return existsSync(path.join(this.dataDir, 'identity', 'identity.json'));
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null;
  }

  /** Runs `espalier-agent enrol`; replaces an identity of an earlier database. */
  async enrol(url: string, token: string): Promise<void> {
    mkdirSync(this.dataDir, { recursive: true, mode: 0o700 });
    const child = spawn(
      process.execPath,
      [LAUNCHER, 'enrol', url, '--token', token, '--data', this.dataDir, '--name', 'sample', '--force'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(said.trim() || `espalier-agent enrol ended with ${code}`);
  }

  /** Starts it unless it runs. It measures often, so that one disturbed window does not hold the journey up. */
  async start(controllerUrl: string, anyPort: boolean): Promise<void> {
    if (this.isRunning) return;
    await this.#endOrphan();
    const port = !anyPort && (await isFree(PREFERRED_PORT)) ? PREFERRED_PORT : 0;
    const log = createWriteStream(path.join(this.dataDir, 'agent.log'), { flags: 'a' });
    const env = { ...process.env, ESPALIER_AGENT_MEASURE_INTERVAL_S: '3', ESPALIER_AGENT_HEALTH_WINDOW_S: '2' };
    const child = spawn(
      process.execPath,
      [LAUNCHER, 'run', '--data', this.dataDir, '--controller', controllerUrl, '--port', String(port)],
      {
        env,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    child.stderr.pipe(log);
    this.#child = child;
  }

  /** An agent that outlived a killed controller holds the data directory; it ends before the new one starts. */
  async #endOrphan(): Promise<void> {
    const pid = lockHolder(this.dataDir);
    if (pid === null) return;
    process.kill(pid, 'SIGTERM');
    for (let waitedMs = 0; waitedMs < ORPHAN_WAIT_MS && lockHolder(this.dataDir) !== null; waitedMs += 100)
      await sleep(100);
    if (lockHolder(this.dataDir) !== null) process.kill(pid, 'SIGKILL');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(force);
  }
}

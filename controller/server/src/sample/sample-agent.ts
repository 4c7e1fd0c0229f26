import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

const LAUNCHER = path.join(import.meta.dirname, '..', '..', '..', '..', 'agent', 'bin', 'espalier-agent.mjs');
const PREFERRED_PORT = 4290;

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
    const port = !anyPort && (await isFree(PREFERRED_PORT)) ? PREFERRED_PORT : 0;
    const log = createWriteStream(path.join(this.dataDir, 'agent.log'), { flags: 'a' });
    const env = { ...process.env, ESPALIER_AGENT_MEASURE_INTERVAL_S: '10', ESPALIER_AGENT_HEALTH_WINDOW_S: '2' };
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

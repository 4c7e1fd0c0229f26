/** Programs of the serving benchmark: the load generator, the bare runtime, servers under test; all as processes. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../support/process.ts';

export const work = path.join(root, '.cache', 'bench', 'serving');
const programs = path.join(work, 'node');

/** Builds what the peers' folder holds as source. @returns what is missing, in words, or null */
export function prepare(peers: string): string | null {
  if (!existsSync(path.join(peers, 'loadgen', 'main.go'))) return `there is no load generator in ${peers}`;
  mkdirSync(programs, { recursive: true });
  for (const name of ['bare.mjs', 'naive.mjs', 'oip-stub.mjs'])
    copyFileSync(path.join(peers, 'node', name), path.join(programs, name));
  try {
    const cwd = path.join(peers, 'loadgen');
    execFileSync('go', ['build', '-o', path.join(work, 'loadgen'), '.'], {
      cwd,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } catch {
    return 'the load generator could not be built (is go installed?)';
  }
  return null;
}

export interface LoadResult {
  readonly n: number;
  readonly ok: number;
  /** Refused for load: 429, 503, 504. */
  readonly shed: number;
  readonly throughput_s: number;
  readonly p50_ms?: number;
  readonly p99_ms?: number;
  readonly goodput_pct?: number;
  readonly first_error?: string;
}

/** One run of the load generator. */
export async function load(url: string, flags: Record<string, string | number | boolean>): Promise<LoadResult> {
  const all: Record<string, string | number | boolean> = { url, ...flags };
  const args = Object.entries(all).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  const { stdout } = await promisify(execFile)(path.join(work, 'loadgen'), args, { maxBuffer: 1 << 24 });
  return JSON.parse(stdout) as LoadResult;
}

export interface Limit {
  readonly ratePerS: number;
  readonly batch1Ms: number;
}

/** The runtime alone, by default on two threads: the best rate of the batch sizes, and the p50 of batch 1. */
export async function bare(
  model: string,
  shape: string,
  batches: string,
  seconds: number,
  threads = 2,
): Promise<Limit> {
  const args = [path.join(programs, 'bare.mjs'), '--model', model, '--threads', String(threads), '--batches', batches];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...args,
    '--seconds',
    String(seconds),
    '--shape',
    shape,
  ]);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { img_s?: number; p50_ms?: number });
  return { ratePerS: Math.max(...lines.map((line) => line.img_s ?? 0)), batch1Ms: lines[0]?.p50_ms ?? Number.NaN };
}

export interface RunningServer {
  readonly child: ChildProcess;
  readonly url: string;
  readonly grpcUrl: string | null;
  output(): string;
  /** Sends a word to a child with a channel, and resolves with its answer. */
  ask<T>(word: string): Promise<T>;
  stop(): Promise<void>;
}

/** Flags and environment under which the agent's launcher and its service unit start Node. */
export const AGENT_FLAGS = ['--max-semi-space-size=2'];
const AGENT_ENV = { MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_ARENA_MAX: '2' };

/** Starts a Node program and waits until its output shows the pattern, or the url answers. */
export async function serve(
  file: string,
  args: readonly string[],
  ready: RegExp | string,
  { channel = false, limitMs = 120_000, flags = [] as readonly string[] } = {},
): Promise<RunningServer> {
  const stdio = ['ignore', 'pipe', 'pipe', ...(channel ? (['ipc'] as const) : [])] as const;
  const child = spawn(process.execPath, [...flags, file, ...args], {
    cwd: root,
    stdio: [...stdio],
    env: { ...process.env, ...AGENT_ENV },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => (text += part));
  const deadline = Date.now() + limitMs;
  const isReady = async (): Promise<boolean> =>
    typeof ready === 'string'
      ? fetch(ready).then(
          () => true,
          () => false,
        )
      : ready.test(text);
  while (!(await isReady())) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${file} did not get ready:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const stop = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 8000);
    if (child.exitCode === null) await gone;
    clearTimeout(late);
  };
  const ask = <T>(word: string): Promise<T> =>
    new Promise((resolve) => {
      child.once('message', (message) => resolve(message as T));
      child.send(word);
    });
  const url = /at (http:\/\/[\d.]+:\d+)/.exec(text)?.[1] ?? (typeof ready === 'string' ? ready : 'http://none');
  const grpc = /gRPC at (\S+)/.exec(text)?.[1];
  return { child, url: new URL(url).origin, grpcUrl: grpc ? `http://${grpc}` : null, output: () => text, ask, stop };
}

/** The agent's own command, on free ports, tuned when it says so. */
export const serveAgent = (model: string, extra: readonly string[], tuned: boolean): Promise<RunningServer> =>
  serve(
    path.join(root, 'agent/dist/main.js'),
    ['serve', model, '--name', 'm', '--port', '0', '--grpc-port', '0', '--log-level', 'info', ...extra],
    tuned ? /best plan was found|no better plan/ : /gRPC at/,
    { flags: AGENT_FLAGS },
  );

export const program = (name: string): string => path.join(programs, name);

/** Private dirty memory of a process, MB [proc smaps_rollup]. */
export const privateDirtyMb = (pid: number | undefined): number =>
  Number(/^Private_Dirty:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024;

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

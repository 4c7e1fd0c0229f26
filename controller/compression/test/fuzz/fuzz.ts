/** Runs mutated models through workers and counts how each ended. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { cpuMsIn } from '@espalier/compression/runtime/overtime';
import { type Mutant, mutant } from './mutate.ts';
import type { Seed } from './seeds.ts';
import type { End, FromWorker, Step, Task } from './worker.ts';

/** A step of one model may take this much processor time: what the clock says, a busy machine decides. */
const HANG_CPU_MS = 10_000;
/** And so long on the clock: what waits for ever takes no processor time. */
const HANG_MS = 180_000;
const LOOKED_MS = 500;

/** Processor time of a process and of the children it has waited for; null where the system does not say. */
function cpuMs(pid: number): number | null {
  try {
    return cpuMsIn(readFileSync(`/proc/${pid}/stat`, 'utf8'), true);
  } catch {
    return null;
  }
}
/** What an Espalier program says when native code ended its process, in the launcher and in the job runner. */
const PROCESS_ENDED = 'ESP_PROGRAM_CRASHED';

export interface Options {
  readonly n: number;
  readonly seed: number;
  readonly jobs: number;
  readonly seeds: readonly Seed[];
  /** Where models that crashed or hung are kept. */
  readonly keep: string;
  /** The only case to run, to look at it again. */
  readonly only?: number;
  readonly say: (text: string) => void;
}

export interface Counts {
  readonly n: number;
  readonly seed: number;
  ok: number;
  readonly coded: Record<string, number>;
  crashes: number;
  hangs: number;
}

/** How a model ended, for the count. */
type Verdict = End | { readonly end: 'hang'; readonly message: string };

/** One worker process, started again after it ended. */
class Lane {
  private child: ChildProcess | null = null;

  try(task: Task): Promise<Verdict> {
    this.child ??= fork(path.join(import.meta.dirname, 'worker.ts'), [], {
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const child = this.child;
    let step: Step = 'read';
    let said = '';
    return new Promise((resolve) => {
      const done = (end: Verdict): void => {
        clearInterval(timer);
        child.removeAllListeners();
        child.stderr!.removeAllListeners('data');
        resolve(end);
      };
      let [startMs, startCpuMs] = [Date.now(), cpuMs(child.pid!)];
      const timer = setInterval(() => {
        const [spentMs, nowCpuMs] = [Date.now() - startMs, cpuMs(child.pid!)];
        const spentCpuMs = nowCpuMs === null || startCpuMs === null ? spentMs : nowCpuMs - startCpuMs;
        if (spentCpuMs <= HANG_CPU_MS && spentMs <= HANG_MS) return;
        this.stop();
        done({ end: 'hang', message: `in ${step}, after ${spentCpuMs} ms of processor time and ${spentMs} ms` });
      }, LOOKED_MS);
      child.stderr!.on('data', (text) => {
        said = `${said}${text}`.slice(-2000);
      });
      child.on('message', (message: FromWorker) => {
        if (!('step' in message)) return done(message);
        step = message.step;
        [startMs, startCpuMs] = [Date.now(), cpuMs(child.pid!)];
      });
      child.on('close', (code, signal) => {
        this.child = null;
        const message = `its process ended with ${signal ?? code} in ${step}: ${said}`;
        const native = signal !== null && step === 'build';
        done(native ? { end: 'coded', code: PROCESS_ENDED, message } : { end: 'crash', message, isCoded: false });
      });
      child.send(task);
    });
  }

  stop(): void {
    this.child?.removeAllListeners();
    this.child?.kill('SIGKILL');
    this.child = null;
  }
}

/** Tries `n` mutants. The same seed gives the same mutants; number k of seed s is `mutant(seeds, s * 1e6 + k)`. */
export async function fuzz(options: Options): Promise<Counts> {
  const { n, seed, jobs, seeds, only, say } = options;
  const counts: Counts = { n: only === undefined ? n : 1, seed, ok: 0, coded: {}, crashes: 0, hangs: 0 };
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'espalier-fuzz-'));
  const cases = only === undefined ? Array.from({ length: n }, (_, at) => at) : [only];
  let next = 0;
  const run = async (lane: Lane, name: string): Promise<void> => {
    while (next < cases.length) {
      const number = cases[next++]!;
      const made = mutant(seeds, seed * 1e6 + number);
      const file = path.join(scratch, `${name}.onnx`);
      await writeFile(file, made.file);
      const end = await lane.try({ file, outDir: path.join(scratch, name) });
      await count(counts, end, made, { ...options, number });
      if (next % 100 === 0) say(`${next} of ${cases.length}`);
    }
    lane.stop();
  };
  await Promise.all(Array.from({ length: Math.min(jobs, cases.length) }, (_, at) => run(new Lane(), `lane-${at}`)));
  await rm(scratch, { recursive: true, force: true });
  return counts;
}

async function count(counts: Counts, end: Verdict, made: Mutant, about: Options & { number: number }): Promise<void> {
  if (end.end === 'ok') counts.ok++;
  else if (end.end === 'coded') counts.coded[end.code] = (counts.coded[end.code] ?? 0) + 1;
  else if (end.end === 'hang') counts.hangs++;
  else counts.crashes++;
  const ended = end.end === 'coded' && end.code === PROCESS_ENDED;
  if (about.only !== undefined) about.say(`${made.what}: ${JSON.stringify(end)}`);
  if (end.end !== 'hang' && end.end !== 'crash' && !ended) return;
  const kept = path.join(about.keep, `case-${about.seed}-${about.number}.onnx`);
  await mkdir(about.keep, { recursive: true });
  await writeFile(kept, made.file);
  about.say(`Case ${about.number} (${made.what}): ${end.end} ${end.message}\n  kept as ${kept}`);
}

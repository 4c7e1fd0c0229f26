import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ModelInvalid, RuntimeCrashed, RuntimeRefused } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { TimeKeeper } from './overtime.js';
import type { Ports, ProbeAnswer } from './probe-protocol.js';
import { contradiction } from './trial.js';

const CHILD = fileURLToPath(new URL('./probe-child.js', import.meta.url));
const PAGE_BYTES = 4096;
const WATCH_MS = 50;

export interface ProbeLimits {
  /** On the processor; see {@link overtime}. */
  readonly timeMs: number;
  /** Resident memory. */
  readonly memoryBytes: number;
}

/**
 * What loading a model and one run may take: far more than a sound one of its size needs on a small machine.
 * @param modelBytes of the file and of its side files
 */
export const limitsFor = (modelBytes: number, machineBytes = totalmem()): ProbeLimits => ({
  timeMs: 8000 + modelBytes / 10_000,
  memoryBytes: Math.min(4e9, machineBytes / 2) + 8 * modelBytes,
});

/** The limits of a model that was read, from its weights, wherever they lie. */
export const limitsOf = ({ constants }: Graph): ProbeLimits =>
  limitsFor([...constants.values()].reduce((sum, { bytes }) => sum + bytes.length, 0));

/**
 * Loads a model and runs it once in a process of its own, because a bad one can end or stall the process that loads it. Throws
 * ESP_RUNTIME_REFUSED with the runtime's own words, ESP_MODEL_INVALID when an output is not as large as it declares, and
 * ESP_RUNTIME_CRASHED when the process died or went past a limit.
 */
export async function probeModel(file: string, limits: ProbeLimits): Promise<Ports> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = fork(CHILD, [file], { execArgv: [], env, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const stop = { why: null as string | null };
  const end = (why: string): void => {
    stop.why = why;
    child.kill('SIGKILL');
  };
  const keeper = new TimeKeeper(child.pid, limits.timeMs);
  const look = async (): Promise<void> => {
    const over = (await overMemory(child, limits.memoryBytes)) ?? (await keeper.check());
    if (over) end(over);
  };
  const watch = setInterval(() => void look(), WATCH_MS);
  try {
    const { answer, how } = await answerOf(child);
    if (!answer) throw RuntimeCrashed({ model: file, why: stop.why ?? how });
    if ('refused' in answer) throw RuntimeRefused({ model: file, why: answer.refused });
    const why = answer.ran && contradiction(answer.ports, answer.ran);
    if (why) throw ModelInvalid({ path: file, why });
    return answer.ports;
  } finally {
    clearInterval(watch);
  }
}

/** The child's one message, or how it ended without. */
function answerOf(child: ChildProcess): Promise<{ answer: ProbeAnswer | null; how: string }> {
  return new Promise((resolve) => {
    let answer: ProbeAnswer | null = null;
    child.on('message', (message) => {
      answer = message as ProbeAnswer;
    });
    child.on('error', (error) => resolve({ answer, how: error.message }));
    child.on('close', (code, signal) => resolve({ answer, how: `its process ended with ${signal ?? code}` }));
  });
}

/** Why a process is to be ended, where Linux says that it holds more than it may; null otherwise. */
async function overMemory({ pid }: ChildProcess, bytesMax: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => null);
  const resident = Number(text?.split(' ')[1] ?? 0) * PAGE_BYTES;
  return resident > bytesMax ? `it took more than ${Math.round(bytesMax / 1e6)} MB of memory` : null;
}

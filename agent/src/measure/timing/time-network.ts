/** Times one network on this thread: plainly, and operator by operator where asked. Runs in a process of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type NetworkTimes, nodeTimesOf, type SessionOptions } from '@espalier/proto';
import { agree, quantile, WINDOWS_TO_AGREE } from '../../runtime/benchmark.js';
import { layoutOf } from '../../runtime/layout.js';
import { openSession } from '../../runtime/onnx.js';
import { probeFeeds } from '../../runtime/probe-feeds.js';
import type { Tensors } from '../../runtime/protocol.js';
import type { Session } from '../../runtime/session.js';
import { classify, readConditions } from '../conditions.js';

export interface NetworkTask {
  readonly file: string;
  readonly sha256: string;
  readonly profiled: boolean;
  readonly sessionOptions: SessionOptions;
  readonly runs: number;
  readonly limitMs: number;
}

const WARM_UPS = 20;
/** Of the time, for the plain runs; the rest is the profiler's. */
const PLAIN_PART = 0.5;
const RUNS_MIN = 5;

/** @throws Error for a network whose inputs have no fixed size, and the runtime's own */
export function timeNetwork(task: NetworkTask): NetworkTimes {
  const session = openSession(task.file, task.sessionOptions);
  const feeds = feedsOf(session);
  const before = readConditions();
  const windows = plainWindows(session, feeds, task);
  session.close();
  const nodes = task.profiled ? profile(task, feeds) : new Map<string, number>();
  const steady = { p50: agree(windows, 0.5), p95: agree(windows, 0.95) };
  return {
    ...{ sha256: task.sha256, p50Us: quantile(windows.flat(), 0.5), n: windows.flat().length },
    class: classify(before, readConditions(), steady),
    nodes: Object.fromEntries(nodes),
  };
}

function feedsOf({ inputs, outputs }: Session): Tensors {
  const layout = layoutOf(inputs, outputs);
  if (!layout) throw new Error('its inputs have no rows of a fixed size');
  return probeFeeds(layout, 0, 1);
}

function timed(session: Session, feeds: Tensors, runs: number, untilMs: number): number[] {
  const times: number[] = [];
  for (let run = 0; run < runs && (run < RUNS_MIN || performance.now() < untilMs); run++) {
    const start = process.hrtime.bigint();
    session.run(feeds);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times;
}

function plainWindows(session: Session, feeds: Tensors, { runs, limitMs }: NetworkTask): number[][] {
  const start = performance.now();
  const until = (part: number): number => start + limitMs * PLAIN_PART * part;
  timed(session, feeds, WARM_UPS, until(0.2));
  const windows: number[][] = [];
  for (let at = 0; at < WINDOWS_TO_AGREE; at++) {
    const part = 0.2 + (0.8 * (at + 1)) / WINDOWS_TO_AGREE;
    windows.push(timed(session, feeds, Math.ceil(runs / WINDOWS_TO_AGREE), until(part)));
  }
  return windows;
}

function profile(task: NetworkTask, feeds: Tensors): Map<string, number> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-timing-'));
  try {
    const session = openSession(task.file, task.sessionOptions, { profilePrefix: path.join(folder, 'p') });
    const done = timed(session, feeds, WARM_UPS + task.runs, performance.now() + task.limitMs * (1 - PLAIN_PART));
    session.endProfiling();
    session.close();
    const [file] = readdirSync(folder);
    return nodeTimesOf(JSON.parse(readFileSync(path.join(folder, file!), 'utf8')), Math.min(WARM_UPS, done.length - 1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

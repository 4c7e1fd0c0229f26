/** Times of single operators, from the runtime's own profiler. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { SessionOptions } from '@espalier/proto';
import { type Feeds, Session } from '../runtime/session.js';

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
}

const KERNEL = '_kernel_time';
/** The profiler counts whole microseconds; over so many runs their mean is finer. */
const RUNS = 200;
const WARM_UPS = 20;
/** Runs that something else held up are left out at the upper end. */
const TRIMMED = 0.2;

/** Mean time of every operator in microseconds, by name; what the runtime made itself has names of its own. */
export async function nodeTimes(
  model: Uint8Array,
  feeds: Feeds,
  options: SessionOptions,
  runs = RUNS,
): Promise<Map<string, number>> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'espalier-profile-'));
  try {
    const session = await Session.open(model, 'the profiled model', options, { profileFilePrefix: `${folder}/p` });
    try {
      for (let run = 0; run < WARM_UPS + runs; run++) await session.run(feeds);
      session.endProfiling();
    } finally {
      await session.dispose();
    }
    const [file] = await readdir(folder);
    return meansOf(JSON.parse(await readFile(path.join(folder, file!), 'utf8')) as TraceEvent[]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function meansOf(events: readonly TraceEvent[]): Map<string, number> {
  const times = new Map<string, number[]>();
  for (const { cat, name, dur } of events) {
    if (cat !== 'Node' || !name.endsWith(KERNEL)) continue;
    // The runtime ends the names of nodes that it made or moved with a token.
    const node = name.slice(0, -KERNEL.length).replace(/_token_\d+$/, '');
    const all = times.get(node) ?? [];
    all.push(dur);
    times.set(node, all);
  }
  return new Map([...times].map(([node, all]) => [node, trimmedMean(all.slice(WARM_UPS))]));
}

function trimmedMean(all: readonly number[]): number {
  const sorted = [...all].sort((a, b) => a - b);
  const kept = sorted.slice(0, Math.max(1, Math.ceil(sorted.length * (1 - TRIMMED))));
  return kept.reduce((sum, us) => sum + us, 0) / kept.length;
}

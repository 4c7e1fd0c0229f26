/** Times of single operators, from the runtime's own profiler. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { nodeTimesOf, type SessionOptions, type TraceEvent } from '@espalier/proto';
import { type Feeds, Session } from '../runtime/session.js';

const RUNS = 200;
const WARM_UPS = 20;

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
    return nodeTimesOf(JSON.parse(await readFile(path.join(folder, file!), 'utf8')) as TraceEvent[], WARM_UPS);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

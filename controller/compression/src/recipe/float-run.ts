import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import type { Feeds, Output, Session } from '../runtime/session.js';
import type { Shared } from '../share/shared.js';
import type { Reference } from './accuracy.js';

/** Bytes of outputs that are kept for the builds that follow; float is run again beside each where they are more. */
const KEPT_BYTES_MAX = 64_000_000;

/**
 * What builds are compared with: float outputs, run once for all where builds share them.
 * @param sharing `on`: all that the outputs depend on
 */
export async function floatRun(
  float: Session,
  data: Dataset,
  feeding: BatchOptions,
  { shared, on }: { shared: Shared; on: readonly unknown[] },
): Promise<Reference> {
  if (!shared.isShared) return float;
  const outputs = await shared.once('float outputs', on, () => collect(float, data, feeding));
  if (!outputs) return float;
  let at = 0;
  // Batches come in the order in which they were run.
  return { name: float.name, outputs: float.outputs, session: float, floats: async (_: Feeds) => outputs[at++]! };
}

async function collect(
  float: Session,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Readonly<Record<string, Output>>[] | null> {
  const found: Readonly<Record<string, Output>>[] = [];
  let bytes = 0;
  for await (const { feeds } of batches(data, feeding)) {
    const outputs = await float.floats(feeds);
    bytes += Object.values(outputs).reduce((sum, { data: values }) => sum + values.byteLength, 0);
    if (bytes > KEPT_BYTES_MAX) return null;
    // The runtime's own memory is given back; what is kept is copied out of it.
    found.push(
      Object.fromEntries(
        Object.entries(outputs).map(([name, { dims, data: values }]) => [name, { dims, data: values.slice() }]),
      ),
    );
  }
  return found;
}

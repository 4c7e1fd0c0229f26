/** Serving again what was served before: at the start of the agent, and after the thread of a model ended. */
import type { Log } from '../common/log.js';
import { Degraded } from '../errors.js';
import type { Serving } from '../serve/serving.js';
import type { Store } from '../store/store.js';
import type { Execution } from './update.types.js';

/**
 * True while the links are moving or the new model is on trial: then the update itself loads what it needs, and counts
 * its attempts before it does. Loading here would let a model that takes the process down do so at every start.
 */
export const isOnTrial = (execution: Execution | null): boolean =>
  execution !== null &&
  execution.before !== null &&
  (execution.state === 'SWITCH' ||
    (!execution.done && (execution.state === 'HEALTH' || execution.state === 'ROLLBACK')));

/**
 * Loads what `current` names; if that does not load, what `previous` names, which then becomes `current`.
 * @throws ESP_DEGRADED when there is something to serve and none of it loads
 */
export async function resume(store: Store, serving: Serving, log: Log): Promise<void> {
  let lastCause: string | null = null;
  for (const link of ['current', 'previous'] as const) {
    const digest = store.read(link);
    if (!digest) continue;
    try {
      await serving.swapToSlot(store.slot(digest));
    } catch (error) {
      lastCause = (error as Error).message;
      log.error({ link, digest, error: lastCause }, 'a stored model does not load');
      continue;
    }
    if (link === 'previous') {
      store.point('current', digest);
      store.point('previous', null);
    }
    return;
  }
  if (lastCause !== null) throw Degraded({ cause: lastCause });
}

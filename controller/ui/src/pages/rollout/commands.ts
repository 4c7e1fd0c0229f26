import type { RolloutView } from '@espalier/proto/api';

export type Command = 'pause' | 'resume' | 'stop' | 'rollback';

/** What can be asked of a rollout in its state. Roll back needs a device that got something. */
export function possibleCommands({
  state,
  succeeded,
  inFlight,
}: Pick<RolloutView, 'state' | 'succeeded' | 'inFlight'>): Command[] {
  const touched = succeeded + inFlight > 0;
  switch (state) {
    case 'READY':
      return ['resume', 'stop'];
    case 'STARTING':
    case 'RUNNING':
      return touched ? ['pause', 'rollback', 'stop'] : ['pause', 'stop'];
    case 'PAUSED':
      return touched ? ['resume', 'rollback', 'stop'] : ['resume', 'stop'];
    case 'FINISHED':
    case 'STOPPED':
      return touched ? ['rollback'] : [];
    default:
      return [];
  }
}

import { availableParallelism } from 'node:os';

/** More than two share the memory's speed before they gain. */
const DEFAULT_MOST = 2;

/** Workers of a training when nobody says. */
export const defaultWorkers = (): number => Math.min(DEFAULT_MOST, availableParallelism());

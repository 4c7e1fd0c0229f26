import { Ground1790000000001 } from './0001-ground.js';
import { Work1790000000002 } from './0002-work.js';

/** In order; a released migration is never changed. */
export const MIGRATIONS = [Ground1790000000001, Work1790000000002];

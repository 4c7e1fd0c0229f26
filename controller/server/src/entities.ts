import { GROUND_ENTITIES } from './ground-entities.js';
import { WORK_ENTITIES } from './work-entities.js';

/** Every table of the controller. */
export const ENTITIES = [...GROUND_ENTITIES, ...WORK_ENTITIES];

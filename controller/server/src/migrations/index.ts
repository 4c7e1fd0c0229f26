import { Ground1790000000001 } from './0001-ground.js';
import { Work1790000000002 } from './0002-work.js';
import { LoopLease1790000000003 } from './0003-loop-lease.js';
import { LoopPolicy1790000000004 } from './0004-loop-policy.js';
import { Timing1790000000005 } from './0005-timing.js';
import { TrainingCurve1790000000006 } from './0006-training-curve.js';
import { JobParts1790000000007 } from './0007-job-parts.js';
import { Quality1790000000008 } from './0008-quality.js';
import { ImportedTable1790000000009 } from './0009-imported-table.js';
import { FieldSample1790000000010 } from './0010-field-sample.js';

/** In order; a released migration is never changed. */
export const MIGRATIONS = [
  ...[Ground1790000000001, Work1790000000002, LoopLease1790000000003],
  ...[LoopPolicy1790000000004, Timing1790000000005, TrainingCurve1790000000006],
  ...[JobParts1790000000007, Quality1790000000008, ImportedTable1790000000009],
  FieldSample1790000000010,
];

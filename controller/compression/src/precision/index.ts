/** The precisions that need no calibration, by name. */
import type { HardwareProfile } from '../hardware/profile.js';
import type { Precision } from '../search/points.js';
import { dynamic } from './dynamic.js';
import { toFp16 } from './fp16.js';
import type { Transformation } from './transform.js';
import { weightOnly } from './weight-only.js';

export const TRANSFORMATIONS: Readonly<Partial<Record<Precision, Transformation>>> = {
  w8: weightOnly(8),
  w4: weightOnly(4),
  fp16: toFp16,
  dynamic,
};

/** What a profile calls a precision. */
const PROFILE_NAMES: Readonly<Record<Precision, HardwareProfile['precisions'][number]>> = {
  ...{ int8: 'int8', 'int8-16': 'int16', w8: 'w8', w4: 'w4', fp16: 'float16', dynamic: 'dynamic' },
};

/** True where a profile allows a precision. */
export const isOffered = ({ precisions }: HardwareProfile, precision: Precision): boolean =>
  precisions.includes(PROFILE_NAMES[precision]);

import type { Dataset } from './content.js';
import { openRecords } from './records.js';
import type { DataSpec } from './spec.js';

const FRAMES = 49;
const COEFFICIENTS = 10;

/** MLPerf Tiny keyword spotting: one label byte, then 49 frames of 10 int8 cepstral coefficients. */
export const openKws = (spec: DataSpec): Promise<Dataset> =>
  openRecords(spec, {
    contentBytes: FRAMES * COEFFICIENTS,
    sampleShape: [FRAMES, COEFFICIENTS],
    // The bytes are signed: Int8Array takes each modulo 256 [ECMA-262, ToInt8].
    decode: (content) => ({ kind: 'stored', values: Int8Array.from(content) }),
  });

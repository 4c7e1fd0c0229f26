/** The output by which a staged model says where each row ended, and the counting of it. */
import type { RawTensors } from '../values.js';

/** int32 [rows]: the stage from 0. */
export const EXIT_OUTPUT = 'exit_stage';

/** Adds a request's exits to a count by stage; models without stages add nothing. */
export function countExits(counts: number[], outputs: RawTensors): void {
  const found = outputs[EXIT_OUTPUT];
  if (found?.type !== 'int32') return;
  const { buffer, byteOffset, byteLength } = found.bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  for (let at = 0; at < byteLength; at += 4) {
    const stage = view.getInt32(at, true);
    while (counts.length <= stage) counts.push(0);
    counts[stage]!++;
  }
}

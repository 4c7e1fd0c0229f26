/** The process that loads one model into ONNX Runtime, runs it once, says what it found, and ends: `probe-child.js MODEL`. */
import { CodedError } from '@espalier/proto';
import type { ProbeAnswer } from './probe-protocol.js';
import { Session } from './session.js';
import { tryOnce } from './trial.js';

async function answer(model: string): Promise<ProbeAnswer> {
  try {
    const session = await Session.open(model, model);
    const { inputs, outputs } = session;
    return { ports: { inputs, outputs }, ran: await tryOnce(session) };
  } catch (error) {
    return { refused: error instanceof CodedError ? String(error.details.why) : String(error) };
  }
}

const found = await answer(process.argv[2]!);
// The answer is all that is wanted: the runtime's memory goes with the process.
process.send!(found, undefined, undefined, () => process.exit(0));

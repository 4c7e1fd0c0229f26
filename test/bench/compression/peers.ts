import path from 'node:path';
import { linesOf } from '../program.ts';
import type { Row } from './rows.ts';

/** The peers' scripts, the Python of an environment that has them, the data pack, and a folder for what they write. */
export interface Peers {
  readonly scripts: string;
  readonly python: string;
  readonly data: string;
  readonly out: string;
}

type Found = Record<string, unknown>;

/** Runs one of the peers' scripts; what their tools say is only shown when it fails. */
const script = ({ scripts, python, data }: Peers, name: string, args: readonly string[]): Promise<Found[]> =>
  linesOf(python, [path.join(scripts, name), '--data', data, ...args], { log: 'ignore' });

/**
 * What the peers make of a model, quantized and evaluated: a line a method.
 * @param methods what `run.py` chooses on, a pattern of "peer method"; without one those of the row
 */
export const quantizedByPeers = (peers: Peers, row: Row, methods?: string): Promise<Found[]> =>
  script(peers, 'run.py', [
    ...['--models', row.peerName, '--out', peers.out, '--python', peers.python],
    ...['--only', `^${row.peerName} (${methods ?? row.against.join('|')})$`],
  ]);

/** The peers' judge on one file: accuracy, SQNR, size and speed against float. */
export async function judgedByPeers(peers: Peers, row: Row, file: string): Promise<Found> {
  const found = await script(peers, 'evaluate.py', ['--model', row.peerName, '--onnx', file]);
  return found.at(-1) ?? { error: 'evaluate.py printed nothing' };
}

/** What the peers' simplifiers make of a model, a line a tool. */
export const simplifiedByPeers = (peers: Peers, row: Row): Promise<Found[]> =>
  script(peers, 'simplify.py', ['--model', row.peerName, '--out', peers.out]);

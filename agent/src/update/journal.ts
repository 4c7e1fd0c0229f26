/** The journal: what an update did and was about to do. After a kill -9 or a power cut it is the truth. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { isMissing, writeDurably } from '../common/files.js';
import { JournalStuck } from '../errors.js';
import type { Execution, JournalRecord, JournalState, Outcome } from './update.types.js';

const REMEMBERED = 200;
const EMPTY: JournalState = { execution: null, ended: new Map(), releases: new Map() };

/** What a journal says after one more record. Pure. */
export function apply(state: JournalState, record: JournalRecord): JournalState {
  if (record.type === 'snapshot') {
    return {
      execution: null,
      ended: new Map(Object.entries(record.ended)),
      releases: new Map(Object.entries(record.releases)),
    };
  }
  if (record.type === 'end') {
    const ended = [...state.ended, [record.executionId, record.outcome] as const].slice(-REMEMBERED);
    return { ...state, execution: null, ended: new Map(ended) };
  }
  if (record.type === 'begin') return { ...state, execution: begin(record) };
  if (!state.execution) return state;
  const execution = { ...change(state.execution, record), records: state.execution.records + 1 };
  if (record.type !== 'commit') return { ...state, execution };
  const highest = Math.max(record.releaseCounter, state.releases.get(record.releaseKey) ?? 0);
  return { ...state, execution, releases: new Map(state.releases).set(record.releaseKey, highest) };
}

const begin = ({ target, profile }: Extract<JournalRecord, { type: 'begin' }>): Execution => ({
  target,
  profile,
  state: 'ACCEPT',
  done: false,
  transitions: 0,
  attempts: { SELF_TEST: 0, SWITCH: 0, HEALTH: 0 },
  before: null,
  committed: false,
  failure: null,
  records: 1,
});

function change(execution: Execution, record: JournalRecord): Execution {
  const transitions = execution.transitions + 1;
  switch (record.type) {
    case 'enter':
      return { ...execution, state: record.state, done: false, transitions };
    case 'attempt': {
      const attempts = { ...execution.attempts, [record.state]: execution.attempts[record.state] + 1 };
      return { ...execution, attempts, transitions };
    }
    case 'intent':
      return { ...execution, before: { current: record.from, previous: record.fromPrevious } };
    case 'done':
      return { ...execution, done: record.state === execution.state };
    case 'commit':
      return { ...execution, committed: true };
    case 'fail':
      return { ...execution, failure: { outcome: record.outcome, error: record.error } };
    default:
      return execution;
  }
}

/** One line a record; a line cut short by a power failure is the last one and is dropped. */
export function parseJournal(text: string): { records: JournalRecord[]; wholeBytes: number } {
  const records: JournalRecord[] = [];
  let wholeBytes = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      records.push(JSON.parse(line) as JournalRecord);
    } catch {
      break;
    }
    wholeBytes += Buffer.byteLength(line) + 1;
  }
  return { records, wholeBytes };
}

/** What the journal in a file says, without opening it for writing. */
export const readJournal = (file: string): JournalState => parseJournal(textOf(file)).records.reduce(apply, EMPTY);

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** The one writer of a journal file. Every append is on the disk when it returns. */
export class Journal {
  private fd: number;
  private current: JournalState;
  private bytes: number;

  constructor(
    private readonly file: string,
    private readonly now: () => number,
  ) {
    const { records, wholeBytes } = parseJournal(textOf(file));
    this.current = records.reduce(apply, EMPTY);
    this.fd = openSync(file, 'a', 0o600);
    this.bytes = wholeBytes;
    ftruncateSync(this.fd, wholeBytes);
  }

  get state(): JournalState {
    return this.current;
  }

  /** @throws ESP_JOURNAL_STUCK when the disk does not take the record; the journal is then as before */
  append(record: Unstamped): void {
    const stamped = { at: new Date(this.now()).toISOString(), ...record } as JournalRecord;
    const line = Buffer.from(`${JSON.stringify(stamped)}\n`);
    try {
      for (let at = 0; at < line.length; ) at += writeSync(this.fd, line, at);
      fsyncSync(this.fd);
    } catch (error) {
      // A part of a line would make the next record unreadable.
      ftruncateSync(this.fd, this.bytes);
      throw JournalStuck({ file: this.file, cause: (error as Error).message }, { cause: error });
    }
    this.bytes += line.length;
    this.current = apply(this.current, stamped);
  }

  /** Replaces the records of ended executions by one snapshot. */
  compact(): void {
    if (this.current.execution) return;
    const snapshot: JournalRecord = {
      at: new Date(this.now()).toISOString(),
      type: 'snapshot',
      ended: Object.fromEntries(this.current.ended) as Record<string, Outcome>,
      releases: Object.fromEntries(this.current.releases),
    };
    const line = `${JSON.stringify(snapshot)}\n`;
    try {
      writeDurably(this.file, line, 0o600);
    } catch {
      // The journal is longer than it could be, no more; the next end tries again.
    }
    closeSync(this.fd);
    this.fd = openSync(this.file, 'a', 0o600);
    this.bytes = fstatSync(this.fd).size;
  }

  close(): void {
    closeSync(this.fd);
  }
}

type Distribute<R> = R extends JournalRecord ? Omit<R, 'at'> : never;
/** A record before the journal stamps it with the time. */
export type Unstamped = Distribute<JournalRecord>;

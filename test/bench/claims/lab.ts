/** Where claims are measured: networks of the data pack, and every figure kept by arm and seed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Subject } from '../training/subject.ts';

const FILE = path.join(import.meta.dirname, '..', 'results', 'claims.json');

/** One way of doing it. Returns its figure for a seed. */
export interface Arm {
  readonly id: string;
  run(lab: Lab, seed: number): Promise<number>;
}

interface Kept {
  /** Of the code that measured it. */
  readonly commit: string;
  readonly value: number;
}
type Results = Record<string, Record<string, Kept>>;

const commit = (): string => execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();

/** Figures survive the run: a ledger that was stopped goes on where it was. */
export class Lab {
  readonly data: string;
  private readonly isAgain: boolean;
  private readonly results: Results;
  private readonly subjects = new Map<string, Promise<Subject>>();

  constructor(data: string, isAgain: boolean) {
    this.data = data;
    this.isAgain = isAgain;
    this.results = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Results) : {};
  }

  subject(model: string): Promise<Subject> {
    const opened = this.subjects.get(model) ?? Subject.open(this.data, model);
    this.subjects.set(model, opened);
    return opened;
  }

  async value(arm: Arm, seed: number): Promise<number> {
    const kept = this.results[arm.id]?.[seed];
    if (kept && !this.isAgain) return kept.value;
    process.stderr.write(`${arm.id}, seed ${seed} ...\n`);
    const value = Number((await arm.run(this, seed)).toFixed(4));
    this.results[arm.id] = { ...this.results[arm.id], [seed]: { commit: commit(), value } };
    mkdirSync(path.dirname(FILE), { recursive: true });
    writeFileSync(FILE, `${JSON.stringify(this.results, null, 2)}\n`);
    return value;
  }

  async close(): Promise<void> {
    for (const subject of this.subjects.values()) await (await subject).close();
  }
}

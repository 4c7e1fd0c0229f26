/** Figures that took long are kept in a file, with the commit that they are of: a run that was stopped goes on where it was. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

interface Figure<T> {
  /** Of the code that measured it. */
  readonly commit: string;
  readonly value: T;
}

const commit = (): string => execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();

/** Figures by what was measured and seed, in test/bench/results. */
export class Kept<T> {
  private readonly file: string;
  private readonly isAgain: boolean;
  private readonly figures: Record<string, Record<string, Figure<T>>>;

  /** @param isAgain measures everything anew, and keeps that */
  constructor(name: string, isAgain: boolean) {
    this.file = path.join(import.meta.dirname, 'results', `${name}.json`);
    this.isAgain = isAgain;
    this.figures = existsSync(this.file) ? JSON.parse(readFileSync(this.file, 'utf8')) : {};
  }

  has(id: string, seed: number): boolean {
    return this.figures[id]?.[seed] !== undefined;
  }

  async value(id: string, seed: number, measure: () => Promise<T>): Promise<T> {
    const kept = this.figures[id]?.[seed];
    if (kept && !this.isAgain) return kept.value;
    process.stderr.write(`${id}, seed ${seed} ...\n`);
    const value = await measure();
    this.figures[id] = { ...this.figures[id], [seed]: { commit: commit(), value } };
    mkdirSync(path.dirname(this.file), { recursive: true });
    writeFileSync(this.file, `${JSON.stringify(this.figures, null, 2)}\n`);
    return value;
  }
}

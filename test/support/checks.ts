/** The laboratories' plain protocol: a promise a line, and one closing line that continuous integration adds up. */
import { performance } from 'node:perf_hooks';

export class Checks {
  private passed = 0;
  private failed = 0;

  /** Keeps the promise, or says why it was not kept; later checks run either way. Answers whether it was kept. */
  async check(promise: string, prove: () => unknown): Promise<boolean> {
    const startMs = performance.now();
    let problem: string | null = null;
    try {
      const said = await prove();
      if (typeof said === 'string') promise = `${promise}: ${said}`;
    } catch (error) {
      problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    process.stdout.write(`${problem === null ? 'ok' : 'not ok'} - ${promise} (${seconds} s)\n`);
    if (problem !== null) process.stdout.write(`${problem.replace(/^/gm, '    ')}\n`);
    if (problem === null) this.passed++;
    else this.failed++;
    return problem === null;
  }

  /** A promise that this machine cannot prove. */
  skip(promise: string, reason: string): void {
    process.stdout.write(`skipped - ${promise}: ${reason}\n`);
  }

  /** Prints the closing line and sets the exit code. */
  finish(): void {
    process.stdout.write(`\n${this.passed} passed, ${this.failed} failed\n`);
    process.exitCode = this.failed === 0 ? 0 : 1;
  }
}

import { CodedError, errorBody } from '@espalier/proto';
import type { Progress } from '../recipe/options.js';

/** Where the commands write: stdout holds results only, everything else goes to stderr. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly isInteractive: boolean;
}

export const processTerminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isInteractive: process.stderr.isTTY === true,
};

/** Prints progress: one line that is written over on a terminal, a line a step elsewhere. */
export function progressPrinter({ err, isInteractive }: Terminal): (progress: Progress) => void {
  let last = '';
  return ({ step, stepIndex, steps, fraction, message }) => {
    if (isInteractive) {
      err(`\r\x1b[K[${stepIndex + 1}/${steps}] ${step} ${Math.round(fraction * 100)} %${fraction >= 1 ? '\n' : ''}`);
    } else if (step !== last) err(`[${stepIndex + 1}/${steps}] ${step}${message ? `: ${message}` : ''}\n`);
    last = step;
  };
}

/** Rows with columns as wide as their widest cell. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}

/** Says what went wrong and what to do; returns the exit code: 2 for what the user can mend, 1 for our own faults. */
export function printError(error: unknown, { err }: Terminal): number {
  const { code, message, action } = errorBody(error);
  err(`${code}: ${message}\n  ${action}\n`);
  return error instanceof CodedError && error.status < 500 ? 2 : 1;
}

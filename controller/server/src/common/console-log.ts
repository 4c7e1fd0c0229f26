import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import type { Settings } from './config.js';

/** What the framework says of its own wiring at each start helps nobody who runs a fleet. */
const WIRING = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);
const LEVELS: readonly LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];
/** How many of LEVELS each setting lets through. */
const UP_TO: Readonly<Record<Settings['logLevel'], number>> = {
  silent: 0,
  fatal: 1,
  error: 2,
  warn: 3,
  info: 4,
  debug: 5,
  trace: 6,
};

/** The controller's log: lines for people on a terminal, one JSON object a line everywhere else. */
export class ConsoleLog extends ConsoleLogger {
  constructor(level: Settings['logLevel'], isTerminal: boolean) {
    super({ logLevels: [...LEVELS.slice(0, UP_TO[level])], json: !isTerminal, compact: true });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    if (typeof context !== 'string' || !WIRING.has(context)) super.log(message as string, ...(rest as string[]));
  }
}

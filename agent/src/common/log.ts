import { type Logger, pino } from 'pino';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Structured logs on stderr: stdout belongs to what a command answers. */
export const makeLog = (level: string): Logger => pino({ name: 'espalier-agent', level }, pino.destination(2));

export const silent: Log = pino({ level: 'silent' });

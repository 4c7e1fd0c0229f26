import { CodedError, errorBody } from '@espalier/proto';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Response } from 'express';
import { BodyTooLarge, DatabaseBusy, InputInvalid, RequestFailed, TooManyRequests } from './errors.js';
import { newId } from './ids.js';

/** Every failed request answers with a code, what was wrong, what to do, and an id that the log has too. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  readonly #logger = new Logger('http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const error = toCoded(thrown);
    const status = thrown instanceof HttpException ? thrown.getStatus() : (error?.status ?? 500);
    const requestId = newId('req');
    if (status >= 500) this.#logger.error(`${requestId} ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
    if (response.headersSent) return void response.end();
    response.status(status).json({ ...errorBody(error ?? thrown), requestId });
  }
}

function toCoded(thrown: unknown): CodedError | null {
  if (thrown instanceof CodedError) return thrown;
  if (isPoolTimeout(thrown)) return DatabaseBusy({}, { cause: thrown });
  if (!(thrown instanceof HttpException)) return null;
  const status = thrown.getStatus();
  if (status === 429) return TooManyRequests({});
  if (status === 413) return BodyTooLarge({});
  const body = thrown.getResponse() as { message?: string | string[] };
  const problems = Array.isArray(body.message) ? body.message : [body.message ?? thrown.message];
  return status === 400
    ? InputInvalid({ problems }, { cause: thrown })
    : RequestFailed({ status, reason: problems.join('; ') }, { cause: thrown });
}

/** The pool's error has no code, only this text. */
const isPoolTimeout = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.message.includes('timeout exceeded when trying to connect');

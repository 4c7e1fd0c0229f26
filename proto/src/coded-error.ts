/**
 * An error a person can act on: a stable code, what was wrong and with what, and what to do about it.
 * It crosses process and network boundaries as {@link ErrorBody}; each app lists its own codes in one file.
 */
export class CodedError extends Error {
  override readonly name = 'CodedError';

  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly action: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  toJSON(): ErrorBody {
    return { code: this.code, message: this.message, action: this.action, details: this.details };
  }
}

/** The wire form of a {@link CodedError}: HTTP error bodies, MQTT failure reports and job failures all carry it. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly action: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A kind of coded error: call it with its arguments to make one, ask `is` to recognise one. */
export interface ErrorKind<Args> {
  (args: Args, options?: ErrorOptions): CodedError;
  readonly code: string;
  readonly status: number;
  /** True for an error of this kind, whatever was thrown. */
  is(error: unknown): error is CodedError;
}

/**
 * Declares one kind of coded error.
 * @param code stable, `ESP_` and upper snake case; documented in docs/errors.md (a test compares both).
 * @param status the HTTP status it maps to, also used to choose exit codes.
 */
export function defineError<Args extends object>(
  code: string,
  status: number,
  message: (args: Args) => string,
  action: (args: Args) => string,
): ErrorKind<Args> {
  const make = (args: Args, options?: ErrorOptions): CodedError =>
    new CodedError(code, status, message(args), action(args), args as Record<string, unknown>, options);
  const is = (error: unknown): error is CodedError => error instanceof CodedError && error.code === code;
  return Object.assign(make, { code, status, is });
}

/** Any thrown value as an {@link ErrorBody}; what carries no code becomes `ESP_INTERNAL`. */
export function errorBody(error: unknown): ErrorBody {
  if (error instanceof CodedError) return error.toJSON();
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'ESP_INTERNAL',
    message,
    action: 'Look at the log of the process that reported this; it holds the stack.',
  };
}

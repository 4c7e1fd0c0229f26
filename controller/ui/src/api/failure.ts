import type { ApiError } from '@espalier/proto/api';

/** A request that did not do what was asked: the server's coded error, or ours when no answer came. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly error: ApiError;

  constructor(status: number, error: ApiError) {
    super(error.message);
    this.status = status;
    this.error = error;
  }
}

const unreachable: ApiError = {
  code: 'ESP_UNREACHABLE',
  message: 'The controller did not answer.',
  action: 'Check that it runs and that this computer reaches it; the page goes on by itself when it answers.',
};

/** The failure of a fetch that rejected: the network's, never the server's. Status 0. */
export const networkFailure = (): ApiFailure => new ApiFailure(0, unreachable);

/** The coded error of a failed response; an answer that is not ours (a proxy's page) is told as such. */
export async function failureOf(response: Response): Promise<ApiFailure> {
  const body: unknown = await response.json().catch(() => null);
  if (typeof body === 'object' && body !== null && 'code' in body && 'message' in body) {
    return new ApiFailure(response.status, body as ApiError);
  }
  return new ApiFailure(response.status, {
    code: `HTTP_${response.status}`,
    message: `The controller answered ${response.status} ${response.statusText}.`,
    action: 'Read the controller’s log for the reason.',
  });
}

/** Any thrown value as the coded error that is shown. */
export const errorOf = (thrown: unknown): ApiError =>
  thrown instanceof ApiFailure
    ? thrown.error
    : {
        code: 'ESP_PAGE',
        message: String(thrown),
        action: 'Reload the page; if it stays, report it with these words.',
      };

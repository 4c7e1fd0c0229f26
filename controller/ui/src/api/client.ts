import { failureOf, networkFailure } from './failure';

export type Query = Readonly<Record<string, string | number | null | undefined>>;

/** A path below /api/v1 with its query; empty terms are left out, so that equal requests have equal addresses. */
export function address(path: string, query: Query = {}): string {
  const terms = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(terms.map(([key, value]) => [key, String(value)])).toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

async function send<T>(method: string, url: string, body: BodyInit | undefined, type?: string, signal?: AbortSignal) {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (type) headers['content-type'] = type;
  const response = await fetch(url, { method, headers, body, signal, credentials: 'same-origin' }).catch((thrown) => {
    throw signal?.aborted ? thrown : networkFailure();
  });
  if (!response.ok) throw await failureOf(response);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** GET; throws ApiFailure. */
export const read = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  send<T>('GET', address(path, query), undefined, undefined, signal);

export type Method = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A change, with its body as JSON; throws ApiFailure. */
export const change = <T = unknown>(method: Method, path: string, body?: unknown): Promise<T> =>
  body === undefined
    ? send<T>(method, address(path), undefined)
    : send<T>(method, address(path), JSON.stringify(body), 'application/json');

/**
 * POST of a file as octet-stream. XMLHttpRequest, because fetch tells nothing of an upload's progress.
 * `onProgress` gets 0..1 of the bytes sent.
 */
export function upload<T>(path: string, query: Query, file: File, onProgress: (share: number) => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const request = new XMLHttpRequest();
  request.open('POST', address(path, query));
  request.setRequestHeader('content-type', 'application/octet-stream');
  request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
  request.onerror = () => reject(networkFailure());
  request.onload = () => {
    const { status, statusText, responseText } = request;
    if (status >= 200 && status < 300) resolve(JSON.parse(responseText) as T);
    else void failureOf(new Response(responseText, { status, statusText })).then(reject);
  };
  request.send(file);
  return promise;
}

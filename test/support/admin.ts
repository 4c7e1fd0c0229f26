/** The admin of a controller under test: signed in with the one-time link, calling the public API. */
export type Call = <T>(method: string, route: string, body?: unknown) => Promise<T>;

/** Bytes go as they are, everything else as JSON. @throws with the answer's text when the controller refuses */
export async function signInByLink(link: URL): Promise<Call> {
  let cookie = '';
  const call: Call = async <T>(method: string, route: string, body?: unknown) => {
    const isBytes = body instanceof Uint8Array;
    const type = isBytes ? 'application/octet-stream' : 'application/json';
    const response = await fetch(new URL(`/api/v1${route}`, link), {
      method,
      headers: { cookie, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie;
    if (!response.ok) throw new Error(`${method} ${route}: ${await response.text()}`);
    return (await response.json()) as T;
  };
  await call('POST', '/session', { link: link.searchParams.get('link') });
  return call;
}

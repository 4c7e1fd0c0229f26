/** The admin of a controller under test, who takes no refusal: every answer is the body of a success. */
import { type Caller, signInAsAdmin } from '../../controller/server/test/support/controller.ts';

export type Call = <T>(method: string, route: string, body?: unknown) => Promise<T>;

export const signInByLink = async (link: URL): Promise<Call> =>
  strict(await signInAsAdmin({ url: link.origin, adminLink: link.href }));

/** Bytes go as they are, everything else as JSON. @throws with the answer's text when the controller refuses */
export function strict(admin: Caller): Call {
  return async <T>(method: string, route: string, body?: unknown) => {
    const isBytes = body instanceof Uint8Array;
    const type = isBytes ? 'application/octet-stream' : 'application/json';
    const response = await admin.open(route, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': type } }),
      ...(body === undefined ? {} : { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${route}: ${await response.text()}`);
    return (await response.json()) as T;
  };
}

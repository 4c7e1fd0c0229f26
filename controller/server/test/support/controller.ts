/** A whole controller in the test's process, on any free ports and a directory of its own; and a signed-in caller. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadConfig, type SettingName } from '@espalier/server/common/config';
import { type RunningController, startController } from '@espalier/server/controller';

export interface Answer<T = unknown> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

export interface Caller {
  call<T = Record<string, unknown>>(method: string, route: string, body?: unknown): Promise<Answer<T>>;
  /** The response as it comes, for streams. */
  open(route: string, init?: RequestInit): Promise<Response>;
}

type Teardown = { teardown(done: () => unknown): void };

export function scratchFolder(t: Teardown): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-ground-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const testConfig = (dataDir: string, settings: Partial<Record<SettingName, unknown>> = {}) =>
  loadConfig({
    flags: {
      ...{ dataDir, httpPort: 0, grpcPort: 0, mqttPort: 0, enrolPort: 0, logLevel: 'silent' },
      ...settings,
    },
    env: {},
    file: null,
    defaultDataDir: dataDir,
  });

export const openController = (
  dataDir: string,
  settings: Partial<Record<SettingName, unknown>> = {},
): Promise<RunningController> => startController(testConfig(dataDir, settings));

/** Calls below /api/v1 with these headers; what is no JSON comes back as text. */
export function caller(controller: Pick<RunningController, 'url'>, headers: Record<string, string> = {}): Caller {
  return {
    open: (route, init = {}) =>
      fetch(new URL(`/api/v1${route}`, controller.url), {
        ...init,
        headers: { ...headers, ...(init.headers as object) },
      }),
    async call<T>(method: string, route: string, body?: unknown): Promise<Answer<T>> {
      const response = await fetch(new URL(`/api/v1${route}`, controller.url), {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
      return { status: response.status, body: (isJson ? JSON.parse(text) : text) as T, headers: response.headers };
    },
  };
}

/** Signs in with the link that the controller printed. Each link works once. */
export async function signInAsAdmin(controller: Pick<RunningController, 'url' | 'adminLink'>): Promise<Caller> {
  const link = new URL(controller.adminLink).searchParams.get('link');
  const { status, headers } = await caller(controller).call('POST', '/session', { link });
  if (status !== 201) throw new Error(`the link was refused with ${status}`);
  return caller(controller, { cookie: headers.get('set-cookie')!.split(';')[0]! });
}

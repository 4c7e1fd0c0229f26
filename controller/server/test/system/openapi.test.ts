/** The published document is complete: the web app has no door that is not in it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { openController, scratchFolder } from '../support/controller.ts';

const root = path.join(import.meta.dirname, '..', '..', '..', '..');
const controller = await openController(scratchFolder(t));
t.teardown(() => controller.close());

interface Operation {
  requestBody?: { content: Record<string, { schema: object }> };
}
const answer = await fetch(new URL('/api/openapi.json', controller.url));
const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Operation>> };
/** Every route with parameters as `{}`. */
const documented = new Map(
  Object.entries(paths).flatMap(([route, operations]) =>
    Object.entries(operations).map(([method, operation]) => [
      `${method.toUpperCase()} ${route.replace(/\{[^}]+\}/g, '{}')}`,
      operation,
    ]),
  ),
);

/** `/rollouts/${rollout.id}` as the document names it: `/api/v1/rollouts/{}`. */
const filled = (route: string): string => `/api/v1${route.replace(/\$\{[^}]+\}/g, '{}')}`;

/** `POST /api/v1/rollouts/{}/pause` for each change in the web app's source, wherever its parts are filled in. */
function changesOfTheWebApp(): string[] {
  const files = execFileSync('git', ['ls-files', 'controller/ui/src/**.ts', 'controller/ui/src/**.tsx'], {
    cwd: root,
    encoding: 'utf8',
  });
  const found = new Set<string>();
  for (const file of files.split('\n').filter(Boolean)) {
    const text = readFileSync(path.join(root, file), 'utf8');
    for (const [, method, , route] of text.matchAll(/method: '([A-Z]+)',\s*path: (['`])(.*?)\2/gs))
      found.add(`${method} ${filled(route!)}`);
    for (const [, , route] of text.matchAll(/<DeleteButton.*?\spath=\{([`'])(.*?)\1\}/gs))
      found.add(`DELETE ${filled(route!)}`);
  }
  return [...found].sort();
}

t.test('every change that the web app makes is documented', async (t) => {
  const changes = changesOfTheWebApp();
  t.ok(changes.length >= 15, `${changes.length} changes found in its source`);
  /** `/rollouts/{}/{}` of the source stands for one of several commands. */
  const stands = (change: string): boolean =>
    [...documented.keys()].some((route) => {
      const [a, b] = [change.split('/'), route.split('/')];
      return a.length === b.length && a.every((part, at) => part === b[at] || part === '{}');
    });
  t.strictSame(
    changes.filter((change) => !stands(change)),
    [],
  );
});

t.test('a change that takes a body says how it looks', async (t) => {
  for (const route of [
    ...['POST /api/v1/session', 'PUT /api/v1/session/password', 'POST /api/v1/users', 'POST /api/v1/tokens'],
    ...['POST /api/v1/enrolment-tokens', 'POST /api/v1/datasets', 'POST /api/v1/datasets/upload'],
    ...['POST /api/v1/models', 'PATCH /api/v1/models/{}', 'POST /api/v1/models/{}/optimize', 'POST /api/v1/rollouts'],
    ...['pause', 'resume', 'stop', 'rollback'].map((command) => `POST /api/v1/rollouts/{}/${command}`),
  ]) {
    const content = documented.get(route)?.requestBody?.content ?? {};
    const [schema] = Object.values(content).map((one) => one.schema);
    t.ok(schema && Object.keys(schema).length > 0, route);
  }
});

t.test('the viewer is served', async (t) => {
  const page = await fetch(new URL('/api/docs', controller.url));
  t.equal(page.status, 200);
  t.match(await page.text(), /swagger-ui/);
});

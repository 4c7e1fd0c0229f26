/** Who may do what: sessions, roles, API tokens, and the trail that each change leaves. */
import type { AuditEntry, Page, Session, User } from '@espalier/proto/api';
import t from 'tap';
import { type Caller, caller, openController, scratchFolder, signInAsAdmin } from '../support/controller.ts';

const controller = await openController(scratchFolder(t));
t.teardown(() => controller.close());
const link = new URL(controller.adminLink).searchParams.get('link')!;
const admin = await signInAsAdmin(controller);
const stranger = caller(controller);

async function signIn(name: string, password: string): Promise<Caller> {
  const { headers } = await stranger.call('POST', '/session', { name, password });
  return caller(controller, { cookie: headers.get('set-cookie')!.split(';')[0]! });
}

t.test('the printed link worked once', async (t) => {
  const { status, body } = await stranger.call('POST', '/session', { link });
  t.equal(status, 401);
  t.match(body, { code: 'ESP_SIGN_IN_REFUSED', action: /prints a new one/, requestId: /^req-/ });
});

t.test('an admin who came by link chooses a password and comes back with it', async (t) => {
  t.match((await admin.call<Session>('GET', '/session')).body.user, { role: 'admin', passwordSet: false });
  t.equal((await admin.call('PUT', '/session/password', { password: 'short' })).status, 400);
  t.equal((await admin.call('PUT', '/session/password', { password: 'correct horse battery' })).status, 204);
  const back = await signIn('admin', 'correct horse battery');
  t.equal((await back.call<Session>('GET', '/session')).body.user.passwordSet, true);
  t.equal((await stranger.call('POST', '/session', { name: 'admin', password: 'wrong horse' })).status, 401);
  t.equal((await stranger.call('POST', '/session', { name: 'nobody', password: 'x' })).status, 401);
});

t.test('the cookie is out of reach of scripts and of other sites', async (t) => {
  const { headers } = await stranger.call('POST', '/session', { name: 'admin', password: 'correct horse battery' });
  t.match(headers.get('set-cookie'), /HttpOnly/);
  t.notMatch(headers.get('set-cookie'), /Secure/);
  const behindTls = await stranger.open('/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https' },
    body: JSON.stringify({ name: 'admin', password: 'correct horse battery' }),
  });
  t.match(behindTls.headers.get('set-cookie'), /Secure/, 'behind a TLS proxy it travels over TLS only');
  t.match(headers.get('set-cookie'), /SameSite=Strict/);
  const forged = await admin.open('/enrolment-tokens', { method: 'POST', headers: { origin: 'http://evil.example' } });
  t.equal(forged.status, 403);
  t.match(await forged.json(), { code: 'ESP_ORIGIN_REFUSED' });
});

t.test('a session ends when its user signs out', async (t) => {
  const session = await signIn('admin', 'correct horse battery');
  t.equal((await session.call('DELETE', '/session')).status, 204);
  t.equal((await session.call('GET', '/session')).status, 401);
});

t.test('a viewer reads, an operator also changes, an admin also manages people', async (t) => {
  for (const role of ['viewer', 'operator'] as const)
    t.equal((await admin.call('POST', '/users', { name: role, role, password: 'long enough 1' })).status, 201);
  const [viewer, operator] = [await signIn('viewer', 'long enough 1'), await signIn('operator', 'long enough 1')];
  const allowed = async (who: Caller): Promise<number[]> => [
    (await who.call('GET', '/devices')).status,
    (await who.call('POST', '/enrolment-tokens', {})).status,
    (await who.call('GET', '/users')).status,
    (await who.call('GET', '/audit')).status,
  ];
  t.strictSame(await allowed(stranger), [401, 401, 401, 401]);
  t.strictSame(await allowed(viewer), [200, 403, 403, 403]);
  t.strictSame(await allowed(operator), [200, 201, 403, 403]);
  t.strictSame(await allowed(admin), [200, 201, 200, 200]);
  t.match((await viewer.call('POST', '/rollouts', {})).body, { code: 'ESP_NOT_ALLOWED', message: /operator.*viewer/ });
  t.equal(
    (await viewer.call('PUT', '/session/password', { password: 'long enough 2' })).status,
    204,
    'its own password',
  );
});

t.test('an API token acts in its role until it is deleted', async (t) => {
  const { body: token } = await admin.call<{ id: string; secret: string }>('POST', '/tokens', {
    name: 'ci',
    role: 'viewer',
  });
  const program = caller(controller, { authorization: `Bearer ${token.secret}` });
  t.equal((await program.call('GET', '/fleet')).status, 200);
  t.equal((await program.call('POST', '/enrolment-tokens', {})).status, 403);
  const { body: listed } = await admin.call<Record<string, unknown>[]>('GET', '/tokens');
  t.notMatch(JSON.stringify(listed), token.secret, 'the secret is shown once');
  t.type(listed[0]?.lastUsedAt, 'string');
  t.equal((await admin.call('DELETE', `/tokens/${token.id}`)).status, 204);
  t.equal((await program.call('GET', '/fleet')).status, 401);
});

t.test('names are unique, and the last admin stays', async (t) => {
  t.match((await admin.call('POST', '/users', { name: 'viewer', role: 'admin', password: 'long enough 1' })).body, {
    code: 'ESP_NAME_TAKEN',
  });
  const { body: users } = await admin.call<User[]>('GET', '/users');
  const id = users.find(({ role }) => role === 'admin')!.id;
  t.match((await admin.call('DELETE', `/users/${id}`)).body, { code: 'ESP_LAST_ADMIN' });
});

t.test('who is deleted is out at once', async (t) => {
  const { body: user } = await admin.call<User>('POST', '/users', {
    name: 'gone',
    role: 'viewer',
    password: 'long enough 1',
  });
  const session = await signIn('gone', 'long enough 1');
  await admin.call('DELETE', `/users/${user.id}`);
  t.equal((await session.call('GET', '/session')).status, 401);
});

t.test('a request that is wrong names the field', async (t) => {
  const { status, body } = await admin.call('POST', '/enrolment-tokens', { minutes: 'soon' });
  t.equal(status, 400);
  t.match(body, { code: 'ESP_INPUT_INVALID', message: /minutes/ });
  const long = await admin.call('POST', '/enrolment-tokens', { name: 'x'.repeat(200_000) });
  t.equal(long.status, 413);
  t.match(long.body, { code: 'ESP_BODY_TOO_LARGE' });
  const broken = await admin.open('/enrolment-tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":',
  });
  t.equal(broken.status, 400);
  t.match((await admin.call('GET', '/nothing-here')).body, { code: 'ESP_REQUEST_FAILED' });
  t.match((await admin.call('GET', '/devices?q=colour:red')).body, { code: 'ESP_FILTER_INVALID', message: /status:/ });
});

t.test('the audit log says who did what, newest first, page by page', async (t) => {
  const first = (await admin.call<Page<AuditEntry>>('GET', '/audit?limit=3')).body;
  t.equal(first.items.length, 3);
  const second = (await admin.call<Page<AuditEntry>>('GET', `/audit?limit=3&cursor=${encodeURIComponent(first.next!)}`))
    .body;
  const times = [...first.items, ...second.items].map(({ at, id }) => `${at} ${id}`);
  t.strictSame(times, times.toSorted().reverse());
  t.equal(new Set(times).size, 6, 'no entry on two pages');
  const created = (await admin.call<Page<AuditEntry>>('GET', '/audit?q=API token created')).body;
  t.match(created.items, [{ who: 'admin', details: { name: 'ci', role: 'viewer' } }]);
});

t.test('guessing passwords is slowed down', async (t) => {
  const answers = [];
  for (let n = 0; n < 25; n++) answers.push(await stranger.call('POST', '/session', { link: 'x'.repeat(20) }));
  t.match(answers.at(-1), { status: 429, body: { code: 'ESP_TOO_MANY_REQUESTS' } });
});

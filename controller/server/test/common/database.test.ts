/** The database under the controller, embedded and real: one schema, durable, transactions apart, limits on waiting. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type OpenDatabase, openDatabase } from '@espalier/server/common/database';
import { EmbeddedDatabase } from '@espalier/server/common/embedded/embedded-database';
import { ENTITIES } from '@espalier/server/entities';
import { MIGRATIONS } from '@espalier/server/migrations/index';
import t, { type Test } from 'tap';
import { startPostgres } from '../../../../test/support/postgres.ts';
import { scratchFolder, testConfig } from '../support/controller.ts';

const schema = { entities: ENTITIES as never, migrations: MIGRATIONS };
const count = async (db: OpenDatabase): Promise<number> =>
  Number((await db.source.query('SELECT count(*) AS n FROM inbox'))[0].n);
const insert = 'INSERT INTO inbox ("deviceId", "messageId", "at") VALUES ($1, $2, now())';

/** What must hold whatever PostgreSQL it is. */
async function behaves(t: Test, db: OpenDatabase): Promise<void> {
  const drift = await db.source.driver.createSchemaBuilder().log();
  t.strictSame(
    drift.upQueries.map(({ query }) => query),
    [],
    'entities and migrations say the same',
  );

  await t.rejects(
    db.source.transaction(async (manager) => {
      await manager.query(insert, ['dev-a', 'rolled-back']);
      throw new Error('no');
    }),
  );
  t.equal(await count(db), 0, 'a transaction that throws leaves nothing');

  const order: string[] = [];
  await Promise.all(
    ['one', 'two'].map((name) =>
      db.source.transaction(async (manager) => {
        await manager.query(insert, ['dev-a', name]);
        await new Promise((resolve) => setTimeout(resolve, 30));
        const [{ n }] = await manager.query('SELECT count(*) AS n FROM inbox');
        order.push(`${name} sees ${n}`);
      }),
    ),
  );
  t.ok(order.includes('one sees 1') || order.includes('two sees 1'), `transactions do not see each other: ${order}`);
  t.equal(await count(db), 2);

  await t.rejects(db.source.query(insert, ['dev-a', 'one']), { code: '23505' }, 'error codes are the server’s');
  for (let n = 0; n < 50; n++)
    await db.source.transaction((manager) => manager.query('SELECT 1 / 0')).catch(() => undefined);
  t.equal(await count(db), 2, 'the pool is whole after fifty failures');
}

t.test('embedded', async (t) => {
  const db = await openDatabase(testConfig(scratchFolder(t)), schema);
  t.teardown(() => db.close());
  await behaves(t, db);
});

t.test('a real PostgreSQL, with three controllers that start on it at once', async (t) => {
  const server = await startPostgres();
  if ('skipped' in server) return t.comment(`skipped: ${server.skipped}`);
  t.teardown(() => server.stop());
  const config = testConfig(scratchFolder(t), { databaseUrl: server.url });
  const opened = await Promise.all([1, 2, 3].map(() => openDatabase(config, schema)));
  t.teardown(() => Promise.all(opened.map((db) => db.close())));
  const applied = await opened[0]!.source.query('SELECT name FROM migrations');
  t.equal(applied.length, MIGRATIONS.length, 'each migration ran once');
  await behaves(t, opened[0]!);
});

t.test('waiting for a connection has a limit', async (t) => {
  const db = await openDatabase(testConfig(scratchFolder(t), { databaseWaitMs: 300 }), schema);
  t.teardown(() => db.close());
  await db.source.transaction(async () => {
    await t.rejects(db.source.query('SELECT 1'), /timeout/i, 'a query beside its transaction does not wait for ever');
  });
  t.strictSame(await db.source.query('SELECT 1 AS one'), [{ one: 1 }], 'and afterwards all is well');
});

t.test('what was committed is there after the process ended', async (t) => {
  const config = testConfig(scratchFolder(t));
  const first = await openDatabase(config, schema);
  await first.source.query(insert, ['dev-a', 'kept']);
  await first.close();
  const second = await openDatabase(config, schema);
  t.teardown(() => second.close());
  t.equal(await count(second), 1);
});

t.test('each commit of the embedded database is an fsync', async (t) => {
  if (spawnSync('strace', ['-V']).status !== 0) return t.comment('skipped: strace is not installed');
  const folder = scratchFolder(t);
  const trace = path.join(folder, 'trace');
  const program = path.join(import.meta.dirname, '..', 'support', 'commits.ts');
  const traced = spawnSync(
    'strace',
    [
      '-f',
      '--seccomp-bpf',
      '-e',
      'trace=fsync,write',
      '-e',
      'signal=none',
      '-o',
      trace,
      process.execPath,
      program,
      folder,
    ],
    { encoding: 'utf8' },
  );
  if (/ptrace|not permitted/i.test(traced.stderr)) return t.comment('skipped: strace may not trace here');
  t.equal(traced.status, 0, traced.stderr);
  const calls = readFileSync(trace, 'utf8');
  const between = calls.slice(calls.indexOf('commits begin'), calls.indexOf('commits end'));
  t.ok((between.match(/fsync\(/g) ?? []).length >= 20, 'at least 20 for 20 commits');
});

t.test('a damaged directory is refused with a code', async (t) => {
  const config = testConfig(scratchFolder(t));
  mkdirSync(config.under('database'), { recursive: true });
  writeFileSync(config.under('database', 'PG_VERSION'), '9.1\n');
  await t.rejects(EmbeddedDatabase.open(config.under('database')), { code: 'ESP_DATABASE_UNREACHABLE' });
});

t.test('a database thread that dies is noticed at once', async (t) => {
  const database = await EmbeddedDatabase.open(testConfig(scratchFolder(t)).under('database'));
  const { worker } = database as unknown as { worker: { terminate(): Promise<number> } };
  await worker.terminate();
  t.match(await database.lost, /ended/);
});

t.test('a PostgreSQL that is not there is named', async (t) => {
  const config = testConfig(scratchFolder(t), { databaseUrl: 'postgres://nobody@127.0.0.1:1/none' });
  await t.rejects(openDatabase(config, schema), { code: 'ESP_DATABASE_UNREACHABLE', message: /ECONNREFUSED/ });
});

/** deploy/postgres/espalier.sql on a real PostgreSQL, as the end-to-end tests start it. */
import pg from 'pg';
import t from 'tap';
import { startPostgres } from '../../test/support/postgres.ts';

t.test('the role owns its database, keeps UTC, and cannot hold a transaction open for ever', async (t) => {
  const server = await startPostgres();
  if ('skipped' in server) {
    t.comment(`skipped: ${server.skipped}`);
    return;
  }
  t.teardown(() => server.stop());
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  t.teardown(() => client.end());
  const read = async (sql: string): Promise<unknown> => Object.values((await client.query(sql)).rows[0] ?? {})[0];

  t.equal(await read('select pg_get_userbyid(datdba) from pg_database where datname = current_database()'), 'espalier');
  t.equal(await read('show idle_in_transaction_session_timeout'), '1min');
  t.equal(await read('show timezone'), 'UTC');
  t.equal(await read('show fsync'), 'on', 'durability is not traded for speed in tests');
  await client.query('create table written (id int primary key)');
  t.equal(await read('select usesuper from pg_user where usename = current_user'), false);
});

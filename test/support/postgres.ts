import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './ports.ts';
import { findProgram, type Server, ServerProgram } from './server-program.ts';

/** Statement by statement: a database cannot be created inside the transaction that joins several. */
const setUp = readFileSync(path.join(import.meta.dirname, '../../deploy/postgres/espalier.sql'), 'utf8');

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root, so root borrows the account that Debian's package makes. */
function unprivileged(): Account | { skipped: string } {
  const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
  if (uid !== 0) return { uid, gid };
  const accounts = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '';
  const found = /^postgres:[^:]*:(\d+):(\d+):/m.exec(accounts);
  if (!found) return { skipped: 'root has no user "postgres" to run PostgreSQL as (Debian package postgresql)' };
  return { uid: Number(found[1]), gid: Number(found[2]) };
}

/**
 * A throwaway PostgreSQL: its own data directory, its own port on 127.0.0.1, role and database as in
 * deploy/postgres/espalier.sql, gone with `stop()`. Its durability settings are the defaults, as in production.
 */
export async function startPostgres(): Promise<Server> {
  const [initdb, postgres] = [findProgram('initdb'), findProgram('postgres')];
  if (!initdb || !postgres) return { skipped: 'PostgreSQL is not installed (Debian package postgresql)' };
  const account = unprivileged();
  if ('skipped' in account) return account;

  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-postgres-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    chownSync(folder, account.uid, account.gid);
    const data = path.join(folder, 'data');
    const options = { ...account, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' } };
    const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'];
    await promisify(execFile)(initdb, init, options);

    const port = await freePort();
    const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${folder}`];
    const server = new ServerProgram(postgres, ['-D', data, ...settings.flatMap((line) => ['-c', line])], options);
    const superuser = `postgres://postgres@127.0.0.1:${port}/postgres`;
    await server.untilReady(() => answers(superuser));
    for (const statement of setUp.split(';')) await query(superuser, statement);
    return {
      url: `postgres://espalier@127.0.0.1:${port}/espalier`,
      async stop() {
        // SIGINT is PostgreSQL's fast shutdown: it ends the sessions instead of waiting for them.
        await server.stop('SIGINT');
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const answers = (url: string): Promise<boolean> =>
  query(url, 'select 1').then(
    () => true,
    () => false,
  );

import type { CodedError } from '@espalier/proto';
import {
  DataSource,
  type DataSourceOptions,
  type EntityTarget,
  MigrationExecutor,
  type MigrationInterface,
} from 'typeorm';
import type { Config } from './config.js';
import { EmbeddedDatabase } from './embedded/embedded-database.js';
import { DatabaseUnreachable } from './errors.js';

/** Injected beside the DataSource: which database it is. */
export class DatabaseInfo {
  constructor(readonly kind: 'embedded' | 'postgresql') {}
}

export interface OpenDatabase {
  readonly source: DataSource;
  readonly info: DatabaseInfo;
  /** Resolves when the embedded database is gone and cannot come back in this process. A server may come back. */
  readonly lost: Promise<CodedError>;
  close(): Promise<void>;
}

export interface Schema {
  readonly entities: readonly EntityTarget<object>[];
  readonly migrations: readonly (new () => MigrationInterface)[];
}

/** Any number that no other program on the same server uses for its advisory lock. */
const MIGRATION_LOCK = 0x4553_5001;

/**
 * Opens PostgreSQL by URL, or the embedded one below the data directory, and brings its schema up to date.
 * Both speak the same wire protocol to the same driver; the embedded server has one session, so its pool has one
 * connection: inside a transaction use the transaction's manager, or wait for ever (until `databaseWaitMs`).
 * @throws ESP_DATABASE_UNREACHABLE
 */
export async function openDatabase(config: Config, schema: Schema): Promise<OpenDatabase> {
  const embedded = config.databaseUrl ? null : await EmbeddedDatabase.open(config.under('database'));
  const source = new DataSource(sourceOptions(config, embedded, schema));
  const close = async (): Promise<void> => {
    if (source.isInitialized) await source.destroy();
    await embedded?.close();
  };
  try {
    await source.initialize();
    await migrate(source);
  } catch (error) {
    await close().catch(() => undefined);
    throw DatabaseUnreachable(
      { kind: embedded ? 'embedded' : 'PostgreSQL', reason: reasonOf(error) },
      { cause: error },
    );
  }
  const lost = embedded
    ? embedded.lost.then((reason) => DatabaseUnreachable({ kind: 'embedded', reason }))
    : new Promise<CodedError>(() => undefined);
  return { source, info: new DatabaseInfo(embedded ? 'embedded' : 'postgresql'), lost, close };
}

function sourceOptions(config: Config, embedded: EmbeddedDatabase | null, schema: Schema): DataSourceOptions {
  const common = {
    type: 'postgres' as const,
    entities: [...schema.entities] as (new () => object)[],
    migrations: [...schema.migrations],
    logging: false as const,
    connectTimeoutMS: config.databaseWaitMs,
  };
  if (embedded) {
    return { ...common, username: 'postgres', database: 'postgres', extra: { max: 1, stream: embedded.socket } };
  }
  return { ...common, url: config.databaseUrl!, poolSize: config.databasePool };
}

/** Of controllers that start together one migrates and the others wait, then find nothing to do. A killed one frees it. */
async function migrate(source: DataSource): Promise<void> {
  const runner = source.createQueryRunner();
  try {
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await new MigrationExecutor(source, runner).executePendingMigrations();
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  } finally {
    await runner.release();
  }
}

/** A driver's error in one line; a refused connection to several addresses hides its reasons in `errors`. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(String).join('; ');
  return error instanceof Error ? error.message : String(error);
}

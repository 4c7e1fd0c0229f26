/** Run under strace: twenty commits on the embedded database in a folder, with marks before and after them. */
import { openDatabase } from '@espalier/server/common/database';
import { ENTITIES } from '@espalier/server/entities';
import { MIGRATIONS } from '@espalier/server/migrations/index';
import { testConfig } from './controller.ts';

const db = await openDatabase(testConfig(process.argv[2]!), { entities: ENTITIES as never, migrations: MIGRATIONS });
process.stderr.write('commits begin\n');
for (let n = 0; n < 20; n++)
  await db.source.query('INSERT INTO inbox ("deviceId", "messageId", "at") VALUES ($1, $2, now())', [
    'dev-a',
    String(n),
  ]);
process.stderr.write('commits end\n');
await db.close();

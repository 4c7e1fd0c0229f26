/**
 * `npm run contract:release`: freezes the contract as it stands. From then on the tests compare it with
 * proto/contract.binpb and proto/schema/released; run it only when a release goes out.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jsonSchemas } from '@espalier/proto';

const proto = path.join(import.meta.dirname, '..');
const { status } = spawnSync('buf', ['build', '-o', 'contract.binpb'], { cwd: proto, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
mkdirSync(path.join(proto, 'schema', 'released'), { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(path.join(proto, 'schema', 'released', `${name}.v1.json`), `${JSON.stringify(schema, null, 2)}\n`);
}

/** `npm run contract:generate`: TypeScript from the .proto files, JSON Schemas from the zod ones. Reproducible. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jsonSchemas } from '@espalier/proto';

const proto = path.join(import.meta.dirname, '..');
const { status } = spawnSync('buf', ['generate'], { cwd: proto, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
mkdirSync(path.join(proto, 'schema'), { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(path.join(proto, 'schema', `${name}.v1.json`), `${JSON.stringify(schema, null, 2)}\n`);
}

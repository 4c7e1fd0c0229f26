import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { breakingChanges, type JsonSchema, jsonSchemas } from '@espalier/proto';
import t from 'tap';

const proto = path.join(import.meta.dirname, '..');
const read = (file: string): JsonSchema => JSON.parse(readFileSync(path.join(proto, 'schema', file), 'utf8'));
const buf = (...args: string[]): string => execFileSync('buf', args, { cwd: proto, encoding: 'utf8', stdio: 'pipe' });

t.test('the committed schemas are those of the code', async (t) => {
  for (const [name, schema] of Object.entries(jsonSchemas())) t.same(schema, read(`${name}.v1.json`), name);
});

t.test('the generated gRPC code is that of the .proto files', async (t) => {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-proto-'));
  buf('generate', '--output', scratch);
  const generated = 'src/gen/espalier/v1/espalier.ts';
  t.equal(readFileSync(path.join(scratch, generated), 'utf8'), readFileSync(path.join(proto, generated), 'utf8'));
});

t.test('nothing breaks against the last release', async (t) => {
  buf('breaking', '--against', 'contract.binpb');
  for (const file of readdirSync(path.join(proto, 'schema', 'released'))) {
    t.strictSame(breakingChanges(read(`released/${file}`), read(file)), [], file);
  }
});

t.test('a change that would break a device is named', async (t) => {
  const last: JsonSchema = {
    type: 'object',
    properties: { a: { type: 'string' }, b: { type: 'string', enum: ['x', 'y'] } },
    required: ['a'],
  };
  for (const [name, next, found] of [
    ['a removed field', { ...last, properties: { b: last.properties!['b']! } }, '$.a: was removed'],
    [
      'another type',
      { ...last, properties: { ...last.properties, a: { type: 'integer' } } },
      '$.a: type string became integer',
    ],
    ['a new demand', { ...last, required: ['a', 'b'] }, '$.b: became required'],
    [
      'a removed value',
      { ...last, properties: { ...last.properties, b: { type: 'string', enum: ['x'] } } },
      '$.b: value "y" was removed',
    ],
  ] as const) {
    t.strictSame(breakingChanges(last, next as JsonSchema), [found], name);
  }
  t.strictSame(
    breakingChanges(last, { ...last, properties: { ...last.properties, c: { type: 'string' } } }),
    [],
    'a new optional field is fine',
  );
});

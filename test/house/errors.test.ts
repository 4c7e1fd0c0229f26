/** Codes in the source and codes in docs/errors.md are the same set, so every message a user meets is explained. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';

const root = path.join(import.meta.dirname, '..', '..');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs'], {
  cwd: root,
  encoding: 'utf8',
}).split('\n');
const declared = new Set<string>();
for (const file of files.filter(
  (name) => /(^|\/)src\/|^deploy\//.test(name) && !name.includes('/gen/') && !name.includes('/ui/'),
)) {
  for (const [, code] of readFileSync(path.join(root, file), 'utf8').matchAll(/['"](ESP_[A-Z0-9_]+)['"]/g))
    declared.add(code!);
}
const documented = new Set(
  [...readFileSync(path.join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `(ESP_[A-Z0-9_]+)`/gm)].map(
    ([, code]) => code!,
  ),
);

t.test('every code in the source is documented', async (t) => {
  t.strictSame([...declared].filter((code) => !documented.has(code)).sort(), []);
});

t.test('every documented code exists', async (t) => {
  t.strictSame([...documented].filter((code) => !declared.has(code)).sort(), []);
});

/** Codes in the source and codes in docs/errors.md are the same set, and each says what and what to do. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { declaredErrors, root } from './support/error-codes.ts';

const declared = declaredErrors();
const page = readFileSync(path.join(root, 'docs/errors.md'), 'utf8');
const documented = new Set([...page.matchAll(/^\| `(ESP_[A-Z0-9_]+)`/gm)].map(([, code]) => code!));

t.test('every code in the source is documented, and every documented code exists', async (t) => {
  t.strictSame(
    [...documented].sort(),
    declared.map(({ code }) => code),
  );
});

t.test('every code says what was wrong and what to do', async (t) => {
  const mute = declared.filter(({ message, action }) => !message || !action);
  t.strictSame(
    mute.map(({ code }) => code).filter((code) => code !== 'ESP_INTERNAL'),
    [],
  );
});

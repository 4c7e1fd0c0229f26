/** Words that people read stand in src/strings, so that they can be checked and translated in one place. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';

const src = path.join(import.meta.dirname, '..', 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.tsx'));

/** Text between tags, and the attributes that are read out or shown. */
const patterns = [/>\s*([A-Z][a-z]+[^<>{}=;]*)</g, /(?:aria-label|label|title|placeholder|description)="([^"]+)"/g];

t.test('pages and parts hold no words of their own', async (t) => {
  const found = files.flatMap((file) => {
    const text = readFileSync(path.join(src, file), 'utf8');
    return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => `${file}: ${match[1]}`));
  });
  t.strictSame(found, []);
});

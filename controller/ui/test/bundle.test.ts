/** What a browser loads stays within its bars: kB of 1,000 bytes, gzip. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';

const dist = path.join(import.meta.dirname, '..', 'dist');
const BAR = { firstScript: 220_000, firstStyle: 15_000, route: 60_000 };

interface Chunk {
  readonly file: string;
  readonly isEntry?: boolean;
  readonly imports?: readonly string[];
  readonly dynamicImports?: readonly string[];
  readonly css?: readonly string[];
}

if (!existsSync(path.join(dist, '.vite', 'manifest.json'))) {
  t.comment('skipped: the web app is not built (npm run build)');
} else {
  const manifest = JSON.parse(readFileSync(path.join(dist, '.vite', 'manifest.json'), 'utf8')) as Record<string, Chunk>;
  const gzipBytes = (file: string): number => gzipSync(readFileSync(path.join(dist, file))).length;
  /** A chunk and all that it imports at once. */
  const closure = (name: string, seen = new Set<string>()): Set<string> => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const next of manifest[name]?.imports ?? []) closure(next, seen);
    return seen;
  };
  const scripts = (names: Iterable<string>): number =>
    [...names].reduce((sum, name) => sum + gzipBytes(manifest[name]!.file), 0);
  const entry = Object.keys(manifest).find((name) => manifest[name]?.isEntry)!;
  const first = closure(entry);

  t.test('the first load', async (t) => {
    const home = closure('src/pages/fleet/FleetPage.tsx', new Set(first));
    t.ok(scripts(home) <= BAR.firstScript, `${scripts(home)} bytes of script with the home page`);
    const style = (manifest[entry]?.css ?? []).reduce((sum, file) => sum + gzipBytes(file), 0);
    t.ok(style <= BAR.firstStyle, `${style} bytes of style`);
  });

  t.test('each page that is loaded later', async (t) => {
    const pages = manifest[entry]?.dynamicImports ?? [];
    t.ok(pages.length >= 14, 'every page is a file of its own');
    for (const page of pages) {
      const own = scripts([...closure(page)].filter((name) => !first.has(name)));
      t.ok(own <= BAR.route, `${page}: ${own} bytes`);
    }
  });
}

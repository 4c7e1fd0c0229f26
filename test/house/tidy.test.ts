/** The sizes and habits of CONTRIBUTING.md as checks over every tracked source file. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';

const root = path.join(import.meta.dirname, '..', '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file && existsSync(path.join(root, file)));
const generated = (file: string): boolean => file.includes('/gen/') || file.startsWith('controller/compression/onnx/');
const sources = tracked.filter((file) => /\.(ts|tsx|mjs)$/.test(file) && !generated(file));
const text = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const lines = (file: string): number => text(file).split('\n').length - 1;
const quantile = (values: number[], share: number): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;

t.test('files stay small: one idea each', async (t) => {
  const sizes = sources.map(lines);
  t.comment(
    `${sources.length} files, median ${quantile(sizes, 0.5)}, p90 ${quantile(sizes, 0.9)}, longest ${quantile(sizes, 0.9999)}`,
  );
  t.ok(quantile(sizes, 0.5) <= 120, 'median at most 120 lines');
  t.ok(quantile(sizes, 0.9) <= 300, 'p90 at most 300 lines');
  t.strictSame(
    sources.filter((file) => lines(file) > 500),
    [],
    'none over 500 lines',
  );
});

t.test('file names are at most 40 characters', async (t) => {
  t.strictSame(
    tracked.filter((file) => path.basename(file).length > 40),
    [],
  );
});

t.test('nothing is left for nobody', async (t) => {
  const marker = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X'].join(''));
  t.strictSame(
    sources.filter((file) => file !== 'test/house/tidy.test.ts' && marker.test(text(file))),
    [],
  );
});

t.test('the project names no path of the machine it was written on', async (t) => {
  const home = new RegExp(`(^|[^A-Za-z0-9_.])/(${['work', 'farm', 'root'].join('|')})/`, 'm');
  const written = tracked.filter(
    (file) => /\.(ts|tsx|mjs|md|json|ya?ml|conf|service|sh|html|css)$/.test(file) && file !== 'package-lock.json',
  );
  t.strictSame(
    written.filter((file) => home.test(text(file))),
    [],
  );
  t.notMatch(text('package-lock.json'), /"resolved": "http/, 'the lockfile names no host');
});

t.test('links between the documents lead somewhere', async (t) => {
  const dead: string[] = [];
  for (const file of tracked.filter((name) => name.endsWith('.md'))) {
    for (const [, target] of text(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
      if (!existsSync(path.join(root, path.dirname(file), target!))) dead.push(`${file} -> ${target}`);
    }
  }
  t.strictSame(dead, []);
});

/**
 * `npm test`: lint, types of the tests, contract and every test file, then one plain line `N passed, N failed` over all of them.
 * Arguments are handed to tap: `npm test -- agent/test/update/*.test.ts`.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

const run = (command, args, env = process.env) =>
  new Promise((resolve) => {
    const child = spawn(path.join(root, 'node_modules', '.bin', command), args, { cwd: root, stdio: 'inherit', env });
    child.on('exit', (code) => resolve(code ?? 1));
  });

/** The counts in the closing comment of a tap run: `# { total: 4, pass: 3, fail: 1 }`. */
function countTap(text) {
  const summary = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/m.exec(text);
  return { passed: Number(summary?.[1] ?? 0), failed: Number(summary?.[2] ?? 0) };
}

/**
 * What measures nothing runs two at a time; agents, journeys and faults one by one, or they would disturb what they time;
 * the house's tests too: they plant files among the sources, which programs under test would build again.
 */
const BESIDE = ['proto', 'controller/compression', 'controller/server', 'controller/ui', 'deploy'];
const ALONE = ['agent', 'test'];
const testsBelow = (folder) =>
  globSync(`${folder}/**/*.test.ts`, {
    cwd: root,
    exclude: (name) => /^(node_modules|dist)$/.test(path.basename(name)),
  });

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-test-'));
const files = process.argv.slice(2);
let passed = 0;
let failed = 0;
const count = (name, code) => {
  if (code === 0) passed++;
  else failed++;
  process.stdout.write(`${code === 0 ? 'ok' : 'not ok'} - ${name}\n`);
};
if (files.length === 0) {
  count('lint and format', await run('biome', ['ci', '--diagnostic-level=error', '--max-diagnostics=40', '.']));
  count('tests and benches keep to the types', await run('tsc', ['-p', 'tsconfig.tests.json']));
  count('the gRPC contract follows the style', await run('buf', ['lint', 'proto']));
}
async function runTests(name, args) {
  const output = path.join(scratch, `${name}.tap`);
  const code = await run('tap', ['run', '--reporter=terse', `--output-file=${output}`, ...args]);
  const result = readFileSync(output, 'utf8');
  const counted = countTap(result);
  for (const line of result.split('\n').filter((text) => /^\s*not ok /.test(text))) process.stdout.write(`${line}\n`);
  passed += counted.passed;
  failed += counted.failed || (code === 0 ? 0 : 1);
}

if (files.length > 0) await runTests('files', files);
else {
  await runTests('beside', ['--jobs=2', ...BESIDE.flatMap(testsBelow)]);
  await runTests('alone', ALONE.flatMap(testsBelow));
}
rmSync(scratch, { recursive: true, force: true });
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

/** The command as a user runs it: exit codes, what goes to stdout, and what the files hold. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { bin, espalier, lines } from '../support/espalier.ts';
import { sample } from '../support/sample.ts';

/** A profile that fits no machine of the test. */
const foreign = process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod';

t.test('every command explains itself', async (t) => {
  for (const args of [
    [],
    ['quantize'],
    ['prune'],
    ['groups'],
    ['train'],
    ['profile-ops'],
    ['evaluate'],
    ['inspect'],
    ['profiles'],
  ]) {
    const { code, out } = await espalier(...args, '--help');
    t.equal(code, 0);
    t.match(out, /Usage: espalier/);
  }
});

t.test('inspect prints one JSON line', async (t) => {
  const { code, out } = await espalier('inspect', sample.model, '--json');
  t.equal(code, 0);
  t.match(lines(out), [{ model: 'fashion-ds', opset: 17, operators: { Conv: 18 } }]);
});

t.test('profiles: list, show, match', async (t) => {
  const listed = lines((await espalier('profiles', 'list', '--json')).out);
  t.ok(listed.some((line) => line.id === 'rpi5' && line.extends === 'arm64-dotprod'));
  t.match(lines((await espalier('profiles', 'show', 'x64-avx2', '--json')).out), [{ scheme: { pairSafe: true } }]);
  t.match(lines((await espalier('profiles', 'match', '--json')).out)[0].matched[0], /^arch /);
});

t.test('quantize within a budget: the front grows on stderr, and JSON has it', async (t) => {
  const out = path.join(t.testdir(), 'sample.onnx');
  const spec = ['--calibrate', 'random:32', '--evaluate', 'random:16', '--profile', foreign];
  const {
    code,
    out: json,
    err,
  } = await espalier(...['quantize', sample.model, '-o', out, ...spec, '--max-drop', '50', '--minutes', '1', '--json']);
  t.equal(code, 0, err);
  const [line] = lines(json);
  t.equal(line.met, true);
  t.ok(line.front.some((point: { chosen: boolean }) => point.chosen));
  t.match(line.front[0], {
    precision: 'float',
    drop: 0,
    sqnr_db: Number,
    speedup: null,
    bytes: Number,
    floatNodes: [],
  });
  t.match(err, /int8: drop [\d.-]+, [\d.]+ dB, not timed, [\d.]+ KiB; on the front, of 2/);
  const refused = await espalier('quantize', sample.model, '-o', out, ...spec, '--precision', 'int8-16');
  t.equal(refused.code, 2);
  t.match(refused.err, /ESP_FLAG_INVALID.*int8-16.*it takes int8/);
});

t.test('a calibration method that is asked for is the only one tried', async (t) => {
  const dir = t.testdir();
  const args = ['--profile', 'arm64-neon', '--calibrate', 'random:8', '--calibration', 'entropy'];
  const { code, err } = await espalier('quantize', sample.model, '-o', dir, ...args);
  t.equal(code, 0, err);
  const report = JSON.parse(readFileSync(path.join(dir, 'report.json'), 'utf8'));
  const note = report.notes.find((one: string) => one.startsWith('Quantized by entropy'));
  t.ok(note && !/minmax|mse/.test(note), note);
  t.match(report.commands[0], /--calibration entropy/);
});

t.test('quantize, then evaluate against float: JSON on stdout alone, report and file written', async (t) => {
  const dir = t.testdir();
  const file = path.join(dir, 'int8.onnx');
  const built = await espalier(
    'quantize',
    sample.model,
    '-o',
    file,
    '--profile',
    'arm64-neon',
    '--calibrate',
    sample.calibrate,
    '--evaluate',
    sample.evaluate,
    '--report',
    path.join(dir, 'report'),
    '--json',
  );
  t.equal(built.code, 0, built.err);
  const [line] = lines(built.out);
  t.match(line, { model: 'fashion-ds', profile: 'arm64-neon', method: 'int8', n: 500, floatNodes: [] });
  t.match(built.err, /quantize/, 'progress goes to stderr');
  t.equal(JSON.parse(readFileSync(path.join(dir, 'report', 'report.json'), 'utf8')).version, 1);
  t.ok(existsSync(path.join(dir, 'report', 'report.html')));
  const { code, out } = await espalier(
    'evaluate',
    file,
    '--against',
    sample.model,
    '--data',
    sample.evaluate,
    '--json',
  );
  t.equal(code, 0);
  const [evaluated] = lines(out);
  t.match(evaluated, { model: 'int8', against: 'fashion-ds', n: 500, top1: line.top1, top1Float: line.top1Float });
  t.ok(evaluated.speedup > 0);
});

t.test('what the user can mend ends with 2, a code and what to do, and nothing on stdout', async (t) => {
  const dir = t.testdir({ 'bad.onnx': 'not a model' });
  for (const [args, code] of [
    [['inspect', path.join(dir, 'bad.onnx')], 'ESP_MODEL_INVALID'],
    [['inspect', path.join(dir, 'none.onnx')], 'ESP_MODEL_UNREADABLE'],
    [['quantize', sample.model, '-o', dir], 'ESP_CALIBRATION_MISSING'],
    [['quantize', sample.model, '-o', dir, '--profile', 'abacus'], 'ESP_PROFILE_UNKNOWN'],
    [['evaluate', sample.model, '--data', 'photos'], 'ESP_DATA_SPEC_INVALID'],
    [['evaluate', sample.model, '--data', 'random:2', '--batch', '0'], 'ESP_FLAG_INVALID'],
    [['quantize', sample.model, '-o', dir, '--seed', 'x'], 'ESP_FLAG_INVALID'],
    [['prune', sample.model, '-o', dir, '--samples', '0'], 'ESP_FLAG_INVALID'],
  ] as const) {
    const found = await espalier(...args);
    t.strictSame([found.code, found.out], [2, ''], args.join(' '));
    t.match(found.err, new RegExp(`^${code}: .*\n {2}\\S`, 'm'));
  }
});

t.test('a model cut in half is refused, not crashed on', async (t) => {
  const file = path.join(t.testdir(), 'cut.onnx');
  writeFileSync(file, readFileSync(sample.model).subarray(0, 330_000));
  const { code, err } = await espalier('inspect', file);
  t.equal(code, 2);
  t.match(err, /ESP_MODEL_INVALID/);
});

t.test('groups: what can go together, and what must stay', async (t) => {
  const [line] = lines((await espalier('groups', sample.model, '--json')).out);
  t.ok(line.groups.length > 5);
  t.match(line.frozen, [{ channels: 10, reason: /output of the model/ }]);
  const { out } = await espalier('groups', sample.model);
  t.match(out, /GROUP +CHANNELS/);
  t.match(out, /Fixed: .*10 channels/);
});

t.test('prune: fewer multiply-accumulates, nearly the same answers; refused when nothing is asked right', async (t) => {
  const file = path.join(t.testdir(), 'pruned.onnx');
  const args = [sample.model, '-o', file, '--calibrate', sample.calibrate, '--evaluate', sample.evaluate, '--json'];
  const { code, out } = await espalier('prune', ...args, '--macs', '0.7', '--samples', '200');
  t.equal(code, 0);
  const [line] = lines(out);
  t.ok(line.macsShare <= 0.704, `${line.macsShare}`);
  t.ok(line.top1Float - line.top1 < 5, `${line.top1Float} -> ${line.top1}`);
  t.ok(existsSync(file));
  t.match(lines((await espalier('evaluate', file, '--data', sample.evaluate, '--json')).out), [{ top1: line.top1 }]);
  const both = await espalier('prune', ...args, '--macs', '0.7', '--ratio', '0.5');
  t.equal(both.code, 1);
  t.match(both.err, /cannot be used with/);
  const tiny = await espalier('prune', ...args, '--macs', '0.01');
  t.equal(tiny.code, 2);
  t.match(tiny.err, /ESP_PRUNE_BUDGET_MISSED.*nearest/s);
});

t.test(
  'native code that breaks down in the program is reported with a code',
  {
    skip: process.platform === 'linux' ? false : 'needs /proc',
  },
  async (t) => {
    const target = path.join(t.testdir(), 'out.onnx');
    const child = spawn(
      process.execPath,
      [bin, 'quantize', sample.model, '-o', target, '--calibrate', sample.calibrate],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let said = '';
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.stderr.on('data', (chunk) => {
      const running = /quantize/.test(said);
      said += chunk;
      if (running || !/quantize/.test(said)) return;
      const [program] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
      process.kill(Number(program), 'SIGSEGV');
    });
    t.equal(await ended, 1);
    t.match(said, /^ESP_PROGRAM_CRASHED: .*SIGSEGV.*\n {2}\S/m);
    t.notOk(existsSync(target));
  },
);

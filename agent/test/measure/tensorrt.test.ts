/** trtexec as a script that checks its flags and replays what the documented formats say. Simulated: no GPU is behind it. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { measureEngine } from '@espalier/agent/runtime/tensorrt/engine';
import { knownOptions, latenciesUs, measureArgs, versionOf } from '@espalier/agent/runtime/tensorrt/trtexec-options';
import t from 'tap';

const HELP = {
  8: '--onnx --saveEngine --loadEngine --timingCacheFile --workspace --memPoolSize --buildOnly --int8 --fp16 --warmUp --duration --exportTimes --useSpinWait --noDataTransfers --useCudaGraph',
  11: '--onnx --saveEngine --loadEngine --timingCacheFile --memPoolSize --skipInference --warmUp --duration --exportTimes --includeDataTransfers --noSpinWait --noCudaGraph --stronglyTyped',
} as const;

/** A trtexec of a version; it refuses flags that this version has not, and writes down how it was called. */
function scripted(folder: string, version: 8 | 11, fails = ''): string {
  const file = path.join(folder, `trtexec-${version}`);
  writeFileSync(
    file,
    `#!${process.execPath}
const fs = require('node:fs');
const args = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(`${file}.calls`)}, args.join(' ') + '\\n');
console.log('&&&& RUNNING TensorRT.trtexec [TensorRT v${version === 8 ? '8502' : '110100'}] # trtexec ' + args.join(' '));
const known = ${JSON.stringify(HELP[version])}.split(' ');
const value = (name) => args.find((arg) => arg.startsWith('--' + name + '='))?.split('=')[1];
if (args[0] === '--help') { console.log(known.join('\\n')); process.exit(0); }
const wrong = args.find((arg) => !known.includes(arg.split('=')[0]));
if (wrong) { console.log('[E] Unknown option: ' + wrong); process.exit(1); }
if (${JSON.stringify(fails)}) { console.log(${JSON.stringify(fails)}); process.exit(1); }
if (value('saveEngine')) fs.writeFileSync(value('saveEngine'), 'engine');
if (value('exportTimes')) fs.writeFileSync(value('exportTimes'), JSON.stringify([1, 2, 3].map((ms) => ({ startEnqMs: 0, endEnqMs: 0.1, h2dMs: 0.1, computeMs: ms - 0.2, d2hMs: 0.1, latencyMs: ms }))));
`.replaceAll('\\\\n', '\\n'),
  );
  chmodSync(file, 0o755);
  return file;
}

t.test('an engine is built once for a model, a version and a GPU, and measured with every setting named', async (t) => {
  const folder = t.testdir();
  for (const version of [8, 11] as const) {
    process.env.ESPALIER_TRTEXEC = scripted(folder, version);
    const engines = path.join(folder, 'engines');
    const at = { folder: engines, seconds: 2, gpuName: 'GPU A' };
    const first = await measureEngine('m.onnx', 'digest', at);
    t.match(first, { built: true, samplesUs: [1000, 2000, 3000], version: version === 8 ? '8502' : '110100' });
    t.match(await measureEngine('m.onnx', 'digest', at), { built: false }, 'it is there');
    t.match(await measureEngine('m.onnx', 'digest', { ...at, gpuName: 'GPU B' }), { built: true }, 'another GPU');
    t.match(await measureEngine('m.onnx', 'other', at), { built: true }, 'another model');
    const calls = readFileSync(`${process.env.ESPALIER_TRTEXEC}.calls`, 'utf8');
    if (version === 11) t.match(first.command, /--includeDataTransfers --noSpinWait --noCudaGraph$/);
    t.match(calls, version === 11 ? /--skipInference$/m : /--buildOnly --int8 --fp16$/m);
  }
});

t.test('what fails is told with the last thing trtexec said, and leaves no engine', async (t) => {
  const folder = t.testdir();
  const at = { folder: path.join(folder, 'engines'), seconds: 1, gpuName: 'GPU' };
  process.env.ESPALIER_TRTEXEC = scripted(folder, 11, '&&&& FAILED TensorRT.trtexec: no kernel');
  await t.rejects(measureEngine('m.onnx', 'd', at), { code: 'ESP_RUNTIME_UNAVAILABLE', message: /FAILED.*no kernel/ });
  process.env.ESPALIER_TRTEXEC = path.join(folder, 'none');
  await t.rejects(measureEngine('m.onnx', 'd', at), { code: 'ESP_RUNTIME_UNAVAILABLE', message: /there is no/ });
  t.notOk(existsSync(path.join(at.folder, 'timing.cache')));
});

t.test('formats', async (t) => {
  t.equal(versionOf('&&&& RUNNING TensorRT.trtexec [TensorRT v101300] # x'), '101300');
  t.equal(versionOf('no banner'), null);
  t.strictSame(measureArgs(knownOptions(HELP[8]), 'e', 3, 't').slice(4), []);
  t.throws(() => latenciesUs('{}'), /no list/);
  t.throws(() => latenciesUs('[{"h2dMs":1}]'), /no latencyMs/);
});

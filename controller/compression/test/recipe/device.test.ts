/** What lies beside a build for a device whose vendor's compiler has the last word. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { readModel } from '@espalier/compression/onnx/codec';
import { buildVariant } from '@espalier/compression/recipe/build';
import { adviceFor, type BuildOptionsFile, buildOptionsFor } from '@espalier/compression/recipe/device';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { ints, noise, tinyGraph } from '../support/tiny.ts';

const profiles = await loadProfiles();
const file = { name: 'model.onnx', sha256: 'ab'.repeat(32) };
const free = [{ name: 'x', type: 'float32', shape: ['N', 3, 32, 32] }];

t.test('TensorRT: the command line, with a range for a free batch, and the key of the timing cache', async (t) => {
  const options = buildOptionsFor(profileById('jetson-orin', profiles), file, free)!;
  for (const wanted of ['--onnx=model.onnx', '--saveEngine=model.engine', '--fp16', '--int8']) {
    t.ok(options.arguments.includes(wanted), wanted);
  }
  t.ok(options.arguments.includes('--timingCacheFile=jetson-orin.timing'));
  t.ok(options.arguments.includes('--maxShapes=x:8x3x32x32'));
  t.strictSame(options.cacheKey, { artifact: file.sha256, tensorrt: null, gpu: null, driver: null });
});

t.test('a fixed shape needs no range, a runtime that takes the file as it is no options', async (t) => {
  const options = buildOptionsFor(profileById('jetson-xavier', profiles), file, [
    { ...free[0]!, shape: [1, 3, 32, 32] },
  ]);
  t.notMatch(options!.arguments.join(' '), /Shapes|\{/);
  t.equal(buildOptionsFor(profileById('x64', profiles), file, free), null);
});

t.test('Thor has no precision flags, and Nano neither int8 nor options that its TensorRT does not know', async (t) => {
  const line = (id: string) => buildOptionsFor(profileById(id, profiles), file, free)!.arguments.join(' ');
  t.notMatch(line('jetson-thor'), /--fp16|--int8/);
  t.match(line('jetson-nano'), /--fp16.*--buildOnly/);
  t.notMatch(line('jetson-nano'), /--int8|memPoolSize/);
});

t.test('no placeholder of any profile is left open', async (t) => {
  for (const profile of profiles) {
    const options = buildOptionsFor(profile, file, free);
    if (options) t.notMatch(options.arguments.join(' '), /[{}]/, profile.id);
  }
});

t.test('an operator that a device would rather not have becomes a note', async (t) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 2, 8, 8] },
    outputs: ['y'],
    constants: { w: noise([2, 2, 1, 1], 1), from: ints([0]), to: ints([8]), axes: ints([2]), step: ints([2]) },
    nodes: [
      ['MaxPool', ['x'], ['p'], { kernel_shape: [2, 2] }],
      ['Conv', ['p', 'w'], ['c']],
      ['Slice', ['c', 'from', 'to', 'axes', 'step'], ['y']],
    ],
  });
  t.match(adviceFor(graph, profileById('rk3588', profiles)), [/1 x Slice on rk3588: with step 2/]);
  t.strictSame(adviceFor(graph, profileById('x64', profiles)), []);
});

t.test(
  'the sample for a Jetson and for a Rockchip NPU: options beside it, and the report says what is not proven',
  async (t) => {
    for (const [id, command] of [
      ['jetson-orin', /^trtexec --onnx=model\.onnx/],
      ['rk3588', /^rknn-toolkit2 model=model\.onnx target_platform=rk3588/],
    ] as const) {
      const outDir = path.join(t.testdir({}), id);
      const { files, report, inputs } = await buildVariant({
        ...{ modelPath: sample.model, modelName: 'sample', profile: profileById(id, profiles), recipe: 'int8', outDir },
        ...{ calibrate: `${sample.calibrate.replace('256', '48')}`, evaluate: sample.evaluate, preprocess: null },
      });
      t.ok(files.some(({ path: name }) => name === 'build-options.json'));
      const options = JSON.parse(readFileSync(path.join(outDir, 'build-options.json'), 'utf8')) as BuildOptionsFile;
      t.equal(options.cacheKey.artifact, files.find(({ path: name }) => name === 'model.onnx')!.sha256);
      t.match(report.commands[1], command);
      t.ok(report.notes.some((note) => note.includes('has not run here')));
      t.equal(report.speedup, null);
      t.equal(typeof inputs[0]!.shape[0], id === 'rk3588' ? 'number' : 'string', 'an NPU takes a static batch');
      t.ok(report.agreement! > 90, `${id}: ${report.agreement}% agree with float`);
      t.ok(existsSync(path.join(outDir, 'golden.json')));
      const operators = (await readModel(path.join(outDir, 'model.onnx'))).nodes.map(({ opType }) => opType);
      t.ok(operators.every((op) => !op.startsWith('QLinear')));
    }
  },
);

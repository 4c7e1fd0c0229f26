/** Builds of one model for several profiles: what they have in common is made once, and no byte comes out differently. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, inCompany, inspectModel, loadProfiles, profileById, type Shared } from '@espalier/compression';
import { encodeModel } from '@espalier/compression/onnx/codec';
import type { Recipe, Report } from '@espalier/proto';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { noise, type TinyModel, tinyGraph } from '../support/tiny.ts';

const profiles = await loadProfiles();
const now = () => new Date('2026-01-01T00:00:00Z');
/** One of each way to place quantizers, and two that differ in nothing that a build depends on; none fits the test's machine. */
const FOREIGN = ['arm64-dotprod', 'rpi4', 'npu', 'edge-tpu', 'jetson-orin', 'jetson-xavier'].filter(
  (id) => process.arch !== 'arm64' || !/^(arm64|rpi)/.test(id),
);

/** A residual stream, where what a session returns decides which convolution takes the sum in. */
const residual: TinyModel = {
  inputs: { x: ['N', 3, 12, 12] },
  outputs: ['y'],
  constants: {
    ...{ w1: noise([16, 3, 3, 3], 1), w2: noise([16, 16, 3, 3], 2), w3: noise([16, 16, 3, 3], 3) },
    ...{ w4: noise([16, 16, 1, 1], 4), w5: noise([5, 16, 12, 12], 5, 0.2) },
  },
  nodes: [
    ['Conv', ['x', 'w1'], ['a'], { pads: [1, 1, 1, 1] }],
    ['Relu', ['a'], ['b']],
    ['Conv', ['b', 'w2'], ['c'], { pads: [1, 1, 1, 1] }],
    ['Relu', ['c'], ['d']],
    ['Conv', ['d', 'w3'], ['e'], { pads: [1, 1, 1, 1] }],
    ['Add', ['e', 'b'], ['f']],
    ['Relu', ['f'], ['g']],
    ['Conv', ['g', 'w4'], ['h']],
    ['Sigmoid', ['h'], ['i']],
    ['Conv', ['i', 'w5'], ['y']],
  ],
};

/** Every request, and what was really made. */
function counting(): { shared: Shared; made: string[] } {
  const [inner, made] = [inCompany(), [] as string[]];
  const once: Shared['once'] = (what, on, make) =>
    inner.once(what, on, () => {
      made.push(what);
      return make();
    });
  return { shared: { isShared: true, once }, made };
}

/** What of a report is not of the moment. */
const lasting = ({ cpuSeconds: _, peakRssMb: __, ...rest }: Report): unknown => rest;

interface Subject {
  readonly modelPath: string;
  readonly calibrate: string;
  readonly evaluate: string | null;
  readonly recipe: Recipe;
}

async function buildAll(subject: Subject, dir: string, shared?: Shared) {
  const { preprocess } = await inspectModel(subject.modelPath);
  const built = new Map<string, Awaited<ReturnType<typeof buildVariant>>>();
  for (const id of FOREIGN) {
    const profile = profileById(id, profiles);
    const fixed = { modelName: 'net', profile, preprocess, now, minutes: 0, outDir: path.join(dir, id) };
    built.set(id, await buildVariant({ ...subject, ...fixed, ...(shared ? { shared } : {}) }));
  }
  return built;
}

const dir = t.testdir();
const residualPath = path.join(dir, 'residual.onnx');
writeFileSync(residualPath, encodeModel(tinyGraph(residual)));
const data = { calibrate: `${sample.calibrate.replace('256', '96')}`, evaluate: sample.evaluate };
for (const [name, subject] of [
  ['the sample in int8', { modelPath: sample.model, recipe: 'int8', ...data }],
  [
    'a residual network in int8',
    { modelPath: residualPath, recipe: 'int8', calibrate: 'random:48', evaluate: 'random:20' },
  ],
  ['float', { modelPath: sample.model, recipe: 'float', ...data }],
] as const) {
  t.test(`${name}: the same bytes and the same proof, alone and in company`, async (t) => {
    const { shared, made } = counting();
    const alone = await buildAll(subject, path.join(t.testdir(), 'alone'));
    const together = await buildAll(subject, path.join(t.testdir(), 'together'), shared);
    for (const [id, { report, ...one }] of alone) {
      const { report: other, ...build } = together.get(id)!;
      t.strictSame(build, one, `${id}: files and manifest parts`);
      t.strictSame(lasting(other), lasting(report), `${id}: report`);
    }
    const count = (what: string): number => made.filter((one) => one === what).length;
    t.equal(count('inputs'), 1, 'the model is read and probed once');
    const files = new Set([...alone.values()].map(({ files: [model] }) => model!.sha256));
    t.equal(count('proof'), files.size, 'each file is proven once');
    if (subject.recipe === 'float') return;
    t.ok(files.size < alone.size, 'some profiles get the same file');
    t.ok(count('moments') <= 2 && count('int8') <= 4, `${made.join(', ')}`);
  });
}

t.test('a pruned build is cut once for all profiles that like the same widths', async (t) => {
  const { shared, made } = counting();
  const subject: Subject = {
    modelPath: sample.model,
    recipe: 'pruned-int8',
    calibrate: sample.calibrate.replace('256', '500'),
    evaluate: null,
  };
  const { preprocess } = await inspectModel(sample.model);
  const digests: string[] = [];
  for (const id of ['npu', 'edge-tpu']) {
    const profile = { ...profileById(id, profiles), alignment: profileById('npu', profiles).alignment };
    const fixed = { modelName: 'net', profile, preprocess, now, minutes: 0, outDir: path.join(t.testdir(), id) };
    digests.push((await buildVariant({ ...subject, ...fixed, shared })).files[0]!.sha256);
  }
  t.equal(made.filter((what) => what === 'narrowed').length, 1);
  t.equal(digests[0], digests[1]);
});

/** A detector through the command: COCO files, precision paired with float, and agreement without annotations. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, loadProfiles, profileById } from '@espalier/compression';
import { evaluateCommand } from '@espalier/compression/cli/evaluate';
import { openDataset } from '@espalier/compression/data/dataset';
import { DetectionOutputs } from '@espalier/compression/detection/declaration';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { reportPage } from '@espalier/compression/report/html';
import sharp from 'sharp';
import t from 'tap';
import { floats, tinyGraph } from '../support/tiny.ts';

/** Sees two boxes: [4, 4, 12, 12] moved by `shift`, with the image's brightness as its score, and a small one at 0.1 of it. */
const detector = (shift: number): Uint8Array =>
  encodeModel(
    tinyGraph({
      inputs: { x: [1, 3, 16, 16] },
      outputs: ['boxes', 'scores'],
      constants: {
        none: floats([1], [0]),
        places: floats([1, 2, 4], [4 + shift, 4, 12 + shift, 12, 0, 0, 2, 2]),
        grey: floats([1, 3, 1, 1], [0.001, 0.001, 0.0015]),
        factors: floats([1, 2], [1, 0.1]),
      },
      nodes: [
        ['Conv', ['x', 'grey'], ['g']],
        ['GlobalAveragePool', ['g'], ['mean']],
        ['Flatten', ['mean'], ['score']],
        ['Mul', ['score', 'factors'], ['scores']],
        ['Mul', ['score', 'none'], ['zero']],
        ['Add', ['zero', 'places'], ['boxes']],
      ],
    }),
  );

const box = { left: 4, top: 4, right: 12, bottom: 12 };
const annotation = { image_id: 9, category_id: 3, bbox: [4, 4, 8, 8], area: 64, iscrowd: 0 };

/** Two white images, a.png (id 9) and b.png (id 7), two detectors, and annotations. */
async function folder(dir: string, annotations: object) {
  for (const name of ['a.png', 'b.png']) {
    const image = sharp({ create: { width: 16, height: 16, channels: 3, background: '#ffffff' } });
    await image.png().toFile(path.join(dir, name));
  }
  const images = [
    { id: 7, file_name: 'b.png', width: 16, height: 16 },
    { id: 9, file_name: 'a.png', width: 16, height: 16 },
  ];
  const categories = [{ id: 3, name: 'square' }];
  writeFileSync(path.join(dir, 'data.json'), JSON.stringify({ images, categories, ...annotations }));
  writeFileSync(path.join(dir, 'float.onnx'), detector(0));
  writeFileSync(path.join(dir, 'moved.onnx'), detector(2));
  return `coco:${path.join(dir, 'data.json')}`;
}

async function evaluate(...args: string[]) {
  const printed: string[] = [];
  const terminal = { out: (text: string) => void printed.push(text), err: () => {}, isInteractive: false };
  await evaluateCommand(terminal, new AbortController().signal).parseAsync(args, { from: 'user' });
  return printed.join('');
}

t.test('the images in the order of their names, with their objects', async (t) => {
  const spec = await folder(t.testdir(), { annotations: [annotation, { ...annotation, image_id: 7, iscrowd: 1 }] });
  const data = await openDataset(spec);
  t.match(data, { n: 2, labelled: false, categories: [3] });
  t.match(data.scenes, [
    { width: 16, truths: [{ box, category: 3, area: 64, crowd: false }] },
    { truths: [{ crowd: true }] },
  ]);
  t.match(await data.read(0), { kind: 'image', pixels: { width: 16, height: 16, channels: 3 } });
  t.equal((await openDataset(`${spec}?from=1`)).scenes?.[0]?.truths?.[0]?.crowd, true);
});

t.test('precision of both models, and what they agree on', async (t) => {
  const dir = t.testdir();
  const spec = await folder(dir, { annotations: [annotation] });
  writeFileSync(path.join(dir, 'float.detection.json'), '{"version":1,"boxes":"boxes","scores":"scores"}');
  const [float, moved] = [path.join(dir, 'float.onnx'), path.join(dir, 'moved.onnx')];
  const result = JSON.parse(await evaluate(moved, '--against', float, '--data', spec, '--json'));
  // Both see the square in both images, and it is in the first: precision 1 at the first, by order.
  // Moved by 2 of 8 pixels: overlap 48/80 = 0.6, which counts at 0.50, 0.55 and 0.60.
  t.match(result, {
    n: 2,
    top1: null,
    sqnrDb: null,
    detection: { float: { ap: 1, ap50: 1 }, variant: { ap50: 1, ap75: 0 } },
  });
  t.ok(Math.abs(result.detection.variant.ap - 0.3) < 1e-9, result.detection.variant.ap);
  t.match(result.detection.agreement, { boxesFloat: 2, boxes: 2, matched: 2, percent: 100, meanOverlap: 0.6 });
  const text = await evaluate(moved, '--against', float, '--data', spec);
  t.match(text, /mAP@\[\.5:\.95\] +0\.3000/);
  t.match(text, /mean IoU 0\.600/);
});

t.test('without annotations: agreement alone', async (t) => {
  const dir = t.testdir();
  const spec = await folder(dir, {});
  writeFileSync(path.join(dir, 'd.json'), '{"version":1,"boxes":"boxes","scores":"scores","categories":[1]}');
  const [float, moved] = [path.join(dir, 'float.onnx'), path.join(dir, 'moved.onnx')];
  const flags = ['--data', spec, '--detection', path.join(dir, 'd.json'), '--json'];
  const { detection } = JSON.parse(await evaluate(moved, '--against', float, ...flags));
  t.match(detection, { float: null, variant: null, agreement: { percent: 100, meanOverlap: 0.6 } });
  t.match(JSON.parse(await evaluate(float, ...flags)).detection, { variant: null });
});

t.test('the report of a build holds the same figures', async (t) => {
  const dir = t.testdir();
  const spec = await folder(dir, { annotations: [annotation] });
  const [modelPath, outDir] = [path.join(dir, 'float.onnx'), path.join(dir, 'out')];
  const profile = profileById(process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod', await loadProfiles());
  const options = { modelPath, modelName: 'm', profile, recipe: 'int8', preprocess: null, outDir } as const;
  const detection = DetectionOutputs.parse({ version: 1, boxes: 'boxes', scores: 'scores' });
  const { report } = await buildVariant({ ...options, calibrate: spec, evaluate: spec, detection });
  t.match(report, {
    agreement: null,
    data: { labelled: true },
    detection: { float: { ap: 1 }, agreement: { boxesFloat: 2 } },
  });
  t.match(reportPage(report), /mAP@\[\.5:\.95\].*100\.00 %/);
  const undeclared = await buildVariant({ ...options, calibrate: spec, evaluate: spec });
  t.match(undeclared.report.notes.join(), /nothing says what the outputs mean/);
});

t.test('what is wrong is said', async (t) => {
  const dir = t.testdir();
  const spec = await folder(dir, { annotations: [annotation] });
  await t.rejects(evaluate(path.join(dir, 'float.onnx'), '--data', spec), {
    code: 'ESP_DETECTION_UNDECLARED',
    message: /boxes, scores/,
  });
  for (const [annotations, why] of [
    [{ annotations: [{ ...annotation, image_id: 1 }] }, /an object is of image 1, not listed/],
    [{ annotations: [{ ...annotation, bbox: [1, 2, 3] }] }, /annotations\.0\.bbox/],
    [{ images: 3 }, /images/],
  ] as const) {
    await folder(dir, annotations);
    await t.rejects(openDataset(spec), { code: 'ESP_DATA_UNREADABLE', message: why });
  }
  await folder(dir, { images: [{ id: 1, file_name: 'a.png', width: 9, height: 16 }] });
  await t.rejects((await openDataset(spec)).read(0), { message: /16x16, and 9x16 in the annotations/ });
  writeFileSync(path.join(dir, 'data.json'), '{"images":[');
  await t.rejects(openDataset(spec), { code: 'ESP_DATA_UNREADABLE' });
});

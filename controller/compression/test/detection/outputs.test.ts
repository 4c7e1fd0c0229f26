/** Outputs of detectors, as declared, come to boxes in the stored image. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DetectionOutputs, findDetection } from '@espalier/compression/detection/declaration';
import { decodeDetections } from '@espalier/compression/detection/decode';
import { placementOf } from '@espalier/compression/detection/placement';
import type { Preprocess } from '@espalier/proto';
import t from 'tap';
import { tinyGraph } from '../support/tiny.ts';

const declare = (parts: object) => DetectionOutputs.parse({ version: 1, boxes: 'boxes', scores: 'scores', ...parts });
const output = (dims: number[], values: number[]) => ({ dims, data: Float32Array.from(values) });
const place = { scaleX: 2, scaleY: 4, left: 0, top: 0, width: 100, height: 50 };

t.test('the four ways to write a box', async (t) => {
  const wanted = { left: 20, top: 80, right: 60, bottom: 160 };
  for (const [box, numbers] of Object.entries({
    xyxy: [10, 20, 30, 40],
    yxyx: [20, 10, 40, 30],
    xywh: [10, 20, 20, 20],
    cxcywh: [20, 30, 20, 20],
  })) {
    for (const unit of ['pixel', 'share']) {
      const given = numbers.map((value, at) => {
        const wide = box === 'yxyx' ? at % 2 === 1 : at % 2 === 0;
        return unit === 'share' ? value / (wide ? 100 : 50) : value;
      });
      const outputs = { boxes: output([1, 1, 4], given), scores: output([1, 1, 2], [0.1, 0.9]) };
      const [found] = decodeDetections(outputs, 0, declare({ box, unit }), place, [3, 7]);
      t.match(found, { category: 7 }, `${box} ${unit}`);
      for (const [side, value] of Object.entries(found!.box)) {
        t.ok(Math.abs(value - wanted[side as keyof typeof wanted]) < 1e-4, `${box} ${unit} ${side}: ${value}`);
      }
    }
  }
});

t.test('suppressed inside the model: classes, a count, background', async (t) => {
  const outputs = {
    boxes: output(
      [2, 3, 4],
      Array.from({ length: 24 }, (_, at) => at),
    ),
    scores: output([2, 3], [0, 0, 0, 0.9, 0.8, 0.7]),
    classes: output([2, 3], [0, 0, 0, 1, 0, 1]),
    count: output([2], [0, 2]),
  };
  const declared = declare({ classes: 'classes', count: 'count', categories: [null, 5], overlapMax: null });
  t.strictSame(decodeDetections(outputs, 0, declared, place, []), []);
  const found = decodeDetections(outputs, 1, declared, place, []);
  t.match(found, [{ category: 5 }], 'class 0 is background, and the third box is beyond the count');
  t.equal(found.length, 1);
});

t.test('one output, fields first, with objectness: overlapping boxes of a category go', async (t) => {
  // Fields: x, y, w, h, object, two classes; three boxes.
  const fields = [
    [20, 21, 80],
    [20, 20, 20],
    [10, 10, 10],
    [10, 10, 10],
    [1, 0.9, 0.5],
    [0.9, 0.9, 0.1],
    [0.1, 0.2, 0.8],
  ];
  const outputs = { all: output([1, 7, 3], fields.flat()) };
  const part = (from: number, to: number) => ({ output: 'all', from, to });
  const declared = declare({
    ...{ boxes: part(0, 4), objectness: part(4, 5), scores: part(5, 7), transposed: true, box: 'cxcywh' },
  });
  const found = decodeDetections(outputs, 0, declared, place, [1, 2]);
  t.strictSame(
    found.map(({ category, score }) => [category, score.toFixed(2)]),
    [
      [1, '0.90'],
      [2, '0.40'],
    ],
  );
});

t.test('what does not fit is named', async (t) => {
  const outputs = { boxes: output([1, 1, 4], [0, 0, 1, 1]), scores: output([1, 1], [1]) };
  for (const [parts, why] of [
    [{ boxes: 'bexes' }, /bexes: the model has no such output; it has boxes, scores/],
    [{ boxes: { output: 'boxes', from: 0, to: 5 } }, /fields 0 to 5 of 4/],
    [{ boxes: 'scores' }, /1 numbers a box/],
  ] as const) {
    t.throws(() => decodeDetections(outputs, 0, declare(parts), place, [1]), {
      code: 'ESP_DETECTION_INVALID',
      message: why,
    });
  }
});

t.test('a crop is undone', async (t) => {
  const resize = { width: 100, height: 100, mode: 'crop', resizeShort: 110, kernel: 'linear' } as const;
  const record: Preprocess = {
    version: 1,
    input: 'x',
    layout: 'NCHW',
    color: 'RGB',
    resize,
    scale: 1,
    mean: [],
    std: [],
  };
  const found = placementOf({ width: 440, height: 220 }, record);
  // 440x220 becomes 220x110; the middle 100x100 starts at (60, 5), which is (120, 10) of the stored image.
  t.match(found, { scaleX: 2, scaleY: 2, left: 120, top: 10 });
  t.match(placementOf({ width: 440, height: 220 }, null), { scaleX: 1, left: 0, width: 440 });
});

t.test('where a declaration is found, and what is said of a wrong one', async (t) => {
  const dir = t.testdir();
  const graph = tinyGraph({ inputs: { x: [1, 4] }, outputs: ['y'], nodes: [['Relu', ['x'], ['y']]] });
  const model = path.join(dir, 'm.onnx');
  t.equal(await findDetection(model, graph), null);
  const beside = path.join(dir, 'm.detection.json');
  writeFileSync(beside, '{"version":1,"boxes":"b","scores":"s"}');
  t.match(await findDetection(model, graph), { boxes: 'b', overlapMax: 0.5, transposed: false });
  for (const [text, why] of [
    ['{', /not usable: .*JSON/],
    ['{"version":1,"boxes":"b","scores":"s","boxs":1}', /boxs/],
  ] as const) {
    writeFileSync(beside, text);
    await t.rejects(findDetection(model, graph), { code: 'ESP_DETECTION_INVALID', message: why });
  }
  await t.rejects(findDetection(model, graph, path.join(dir, 'none.json')), { code: 'ESP_DETECTION_INVALID' });
});

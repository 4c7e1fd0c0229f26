import { DetectionInvalid } from '../errors.js';
import type { Output } from '../runtime/session.js';
import type { DetectionOutputs, Part } from './declaration.js';
import { type Box, type Detection, overlap } from './scene.js';

/** Where the model's input lies in the stored image: x' = x * scaleX + left, in pixels of the stored image. */
export interface Placement {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly left: number;
  readonly top: number;
  /** Of the model's input. */
  readonly width: number;
  readonly height: number;
}

/** Numbers of one sample by box and field. */
type Table = (box: number, field: number) => number;

/** Boxes of one sample that are kept before and after suppression. */
const CANDIDATES_MAX = 5000;
const KEPT_MAX = 300;

interface Fields {
  readonly at: Table;
  readonly boxes: number;
  readonly fields: number;
}

/** One part of the outputs, for one sample. Throws ESP_DETECTION_INVALID. */
function fieldsOf(
  outputs: Readonly<Record<string, Output>>,
  part: Part,
  sample: number,
  { transposed }: DetectionOutputs,
): Fields {
  const name = typeof part === 'string' ? part : part.output;
  const found = outputs[name];
  const fail = (why: string) => DetectionInvalid({ source: 'the declaration', why: `${name}: ${why}` });
  if (!found) throw fail(`the model has no such output; it has ${Object.keys(outputs).join(', ')}`);
  const { data, dims } = found;
  if (dims.length !== 2 && dims.length !== 3) throw fail(`[N, boxes] or [N, boxes, fields] wanted, [${dims}] found`);
  const [, first, second = 1] = dims as [number, number, number?];
  const swapped = transposed && dims.length === 3;
  const [boxes, all] = swapped ? [second, first] : [first, second];
  const [from, to] = typeof part === 'string' ? [0, all] : [part.from, part.to];
  if (from >= to || to > all) throw fail(`fields ${from} to ${to} of ${all}`);
  const start = sample * boxes * all;
  const [perBox, perField] = swapped ? [1, boxes] : [all, 1];
  return { at: (box, field) => data[start + box * perBox + (from + field) * perField]!, boxes, fields: to - from };
}

function boxAt({ at }: Fields, box: number, { box: format, unit }: DetectionOutputs, place: Placement): Box {
  const [a, b, c, d] = [at(box, 0), at(box, 1), at(box, 2), at(box, 3)];
  const [x0, y0, x1, y1] = {
    xyxy: [a, b, c, d],
    yxyx: [b, a, d, c],
    xywh: [a, b, a + c, b + d],
    cxcywh: [a - c / 2, b - d / 2, a + c / 2, b + d / 2],
  }[format] as [number, number, number, number];
  const [wide, tall] = unit === 'share' ? [place.width, place.height] : [1, 1];
  const x = (value: number): number => value * wide * place.scaleX + place.left;
  const y = (value: number): number => value * tall * place.scaleY + place.top;
  return { left: x(x0), top: y(y0), right: x(x1), bottom: y(y1) };
}

/** Best class and score of a box: where scores have columns, the largest of them. */
function classAt(scores: Fields, classes: Fields | null, box: number): [number, number] {
  if (classes) return [Math.round(classes.at(box, 0)), scores.at(box, 0)];
  let best = 0;
  for (let field = 1; field < scores.fields; field++) if (scores.at(box, field) > scores.at(box, best)) best = field;
  return [best, scores.at(box, best)];
}

/** Of boxes of one category that overlap more than `most`, the best; best first.   [greedy non-maximum suppression] */
export function suppress(detections: readonly Detection[], most: number): Detection[] {
  const kept: Detection[] = [];
  for (const one of detections) {
    if (kept.length === KEPT_MAX) break;
    const hidden = kept.some((better) => better.category === one.category && overlap(better.box, one.box) > most);
    if (!hidden) kept.push(one);
  }
  return kept;
}

/**
 * What a model detects in one sample, best first, in pixels of the stored image. Throws ESP_DETECTION_INVALID.
 * @param categories of the data, in rising order, for a declaration without its own
 */
export function decodeDetections(
  outputs: Readonly<Record<string, Output>>,
  sample: number,
  declared: DetectionOutputs,
  place: Placement,
  categories: readonly number[],
): Detection[] {
  const part = (name: Part | null): Fields | null => (name === null ? null : fieldsOf(outputs, name, sample, declared));
  const boxes = fieldsOf(outputs, declared.boxes, sample, declared);
  if (boxes.fields !== 4) throw DetectionInvalid({ source: 'the declaration', why: `${boxes.fields} numbers a box` });
  const scores = fieldsOf(outputs, declared.scores, sample, declared);
  const [classes, objectness] = [part(declared.classes), part(declared.objectness)];
  const counted = declared.count === null ? undefined : outputs[declared.count]?.data[sample];
  const names = declared.categories ?? categories;
  const found: Detection[] = [];
  for (let box = 0; box < Math.min(boxes.boxes, counted ?? boxes.boxes); box++) {
    const [label, plain] = classAt(scores, classes, box);
    const score = objectness ? plain * objectness.at(box, 0) : plain;
    const category = names[label] ?? null;
    // A NaN is no score.
    if (!(score >= declared.scoreMin) || category === null) continue;
    found.push({ box: boxAt(boxes, box, declared, place), category, score });
  }
  const best = found.sort((a, b) => b.score - a.score).slice(0, CANDIDATES_MAX);
  return declared.overlapMax === null ? best : suppress(best, declared.overlapMax);
}

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { metadataOf } from '../data/preprocess.js';
import { DetectionInvalid } from '../errors.js';
import type { Graph } from '../onnx/graph.js';

const METADATA_KEY = 'espalier.detection';

/** A whole output, or a range of the fields of one: columns of [N, boxes, fields]. */
const Part = z.union([
  z.string(),
  z.strictObject({ output: z.string(), from: z.int().min(0), to: z.int().positive() }),
]);
export type Part = z.infer<typeof Part>;

/** What a detection model's outputs mean. */
export const DetectionOutputs = z.strictObject({
  version: z.literal(1),
  /** Four numbers a box. */
  boxes: Part,
  /** One number a box, or one for each class. */
  scores: Part,
  /** Class number of each box; null where the scores have one column a class. */
  classes: Part.nullable().default(null),
  /** That there is an object at all: multiplied into the scores. */
  objectness: Part.nullable().default(null),
  /** How many of the boxes are real; null for all. */
  count: z.string().nullable().default(null),
  /** Fields before boxes: [N, fields, boxes]. */
  transposed: z.boolean().default(false),
  box: z.enum(['xyxy', 'yxyx', 'xywh', 'cxcywh']).default('xyxy'),
  /** Pixels of the model's input, or shares of its width and height. */
  unit: z.enum(['pixel', 'share']).default('pixel'),
  /** Category of class 0, 1, ...; null entries are background. Without it, the categories of the data in rising order. */
  categories: z.array(z.int().nullable()).nullable().default(null),
  /** Boxes below this score are not looked at. */
  scoreMin: z.number().min(0).max(1).default(0.05),
  /** Boxes from this score on are the selected ones, which must agree between float and variant. */
  selectedMin: z.number().min(0).max(1).default(0.25),
  /** Of boxes of a category that overlap more than this only the best stays; null where the model does this itself. */
  overlapMax: z.number().min(0).max(1).nullable().default(0.5),
});
export type DetectionOutputs = z.infer<typeof DetectionOutputs>;

function parse(text: string, source: string): DetectionOutputs {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw DetectionInvalid({ source, why: (error as Error).message }, { cause: error });
  }
  const parsed = DetectionOutputs.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw DetectionInvalid({ source, why: `${issue.path.join('.')}: ${issue.message}` });
}

/**
 * The declaration of a model: the file given, else MODEL.detection.json beside the model, else the metadata key
 * `espalier.detection`; null without one. Throws ESP_DETECTION_INVALID.
 */
export async function findDetection(modelPath: string, graph: Graph, given?: string): Promise<DetectionOutputs | null> {
  const beside = given ?? `${modelPath.replace(/\.onnx$/i, '')}.detection.json`;
  const text = await readFile(beside, 'utf8').catch((error: Error) => {
    if (given) throw DetectionInvalid({ source: given, why: error.message }, { cause: error });
    return null;
  });
  if (text !== null) return parse(text, beside);
  const inside = metadataOf(graph, METADATA_KEY);
  return inside === null ? null : parse(inside, `metadata ${METADATA_KEY}`);
}

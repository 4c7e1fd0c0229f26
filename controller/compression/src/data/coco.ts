import path from 'node:path';
import { z } from 'zod';
import type { Scene, Truth } from '../detection/scene.js';
import { DataUnreadable } from '../errors.js';
import type { Dataset } from './content.js';
import { readData } from './file.js';
import { readImage } from './image-file.js';
import { type DataSpec, selectRecords } from './spec.js';

/** The parts of COCO's object detection format that are read.   [cocodataset.org/#format-data] */
const Annotations = z.object({
  images: z.array(
    z.object({ id: z.int(), file_name: z.string(), width: z.number().positive(), height: z.number().positive() }),
  ),
  annotations: z
    .array(
      z.object({
        image_id: z.int(),
        category_id: z.int(),
        bbox: z.tuple([z.number(), z.number(), z.number().min(0), z.number().min(0)]),
        area: z.number().min(0).optional(),
        iscrowd: z.union([z.literal(0), z.literal(1)]).default(0),
      }),
    )
    .optional(),
  categories: z.array(z.object({ id: z.int(), name: z.string() })).default([]),
});
type Annotations = z.infer<typeof Annotations>;

function parse(spec: DataSpec, bytes: Buffer): Annotations {
  const fail = (why: string, cause?: unknown) => DataUnreadable({ spec: spec.text, file: spec.target, why }, { cause });
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw fail((error as Error).message, error);
  }
  const parsed = Annotations.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw fail(`${issue.path.join('.')}: ${issue.message}`);
}

/** The objects of each image, by its id. Throws ESP_DATA_UNREADABLE when one is of an image that is not listed. */
function truthsOf(spec: DataSpec, { images, annotations = [] }: Annotations): Map<number, Truth[]> {
  const found = new Map(images.map(({ id }) => [id, [] as Truth[]]));
  for (const { image_id: image, category_id: category, bbox, area, iscrowd } of annotations) {
    const [left, top, width, height] = bbox;
    const list = found.get(image);
    if (!list) {
      throw DataUnreadable({ spec: spec.text, file: spec.target, why: `an object is of image ${image}, not listed` });
    }
    const box = { left, top, right: left + width, bottom: top + height };
    list.push({ box, category, area: area ?? width * height, crowd: iscrowd === 1 });
  }
  return found;
}

/** Images with boxes: a JSON file in COCO's form, and the folder of the images. The order is that of the file names. */
export async function openCoco(spec: DataSpec): Promise<Dataset> {
  const annotations = parse(spec, await readData(spec, spec.target));
  const truths = annotations.annotations && truthsOf(spec, annotations);
  const images = [...annotations.images].sort((a, b) => (a.file_name < b.file_name ? -1 : 1));
  const taken = selectRecords(spec, images.length).map((record) => images[record]!);
  const scenes = taken.map(
    ({ id, width, height }): Scene => ({ width, height, truths: truths ? truths.get(id)! : null }),
  );
  const folder = spec.images ?? path.dirname(spec.target);
  const [first] = taken;
  return {
    spec: spec.text,
    n: taken.length,
    labelled: false,
    classes: null,
    sampleShape: first ? [first.height, first.width, 3] : [],
    labels: null,
    scenes,
    categories: annotations.categories.map(({ id }) => id).sort((a, b) => a - b),
    async read(at) {
      const { file_name: name, width, height } = taken[at]!;
      const file = path.join(folder, name);
      const content = await readImage(spec, file);
      const { pixels } = content;
      if (pixels.width !== width || pixels.height !== height) {
        const why = `it is ${pixels.width}x${pixels.height}, and ${width}x${height} in the annotations`;
        throw DataUnreadable({ spec: spec.text, file, why });
      }
      return content;
    },
  };
}

import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { requireNumbers } from '../recipe/accuracy.js';
import type { Session } from '../runtime/session.js';
import { type Agreement, agreementOf } from './agreement.js';
import { averagePrecision, type Precision } from './average-precision.js';
import type { DetectionOutputs } from './declaration.js';
import { decodeDetections } from './decode.js';
import { placementOf } from './placement.js';
import type { Detection, Scene } from './scene.js';

/** Float against variant on the same images. Precision is null without annotations. */
export interface DetectionComparison {
  readonly n: number;
  readonly float: Precision | null;
  readonly variant: Precision | null;
  readonly agreement: Agreement;
}

/** Categories that the data has, in rising order. */
const categoriesOf = (scenes: readonly Scene[]): number[] =>
  [...new Set(scenes.flatMap(({ truths }) => (truths ?? []).map(({ category }) => category)))].sort((a, b) => a - b);

/**
 * Runs both detectors over the images. Throws ESP_DETECTION_INVALID, and ESP_OUTPUT_NOT_A_NUMBER when float returns NaN.
 * @param scenes of the data, in its order
 */
export async function compareDetections(
  float: Session,
  variant: Session,
  data: Dataset,
  scenes: readonly Scene[],
  declared: DetectionOutputs,
  feeding: BatchOptions,
): Promise<DetectionComparison> {
  const categories = data.categories?.length ? data.categories : categoriesOf(scenes);
  const found: { float: Detection[]; variant: Detection[] }[] = [];
  for await (const batch of batches(data, feeding)) {
    const a = await float.floats(batch.feeds);
    requireNumbers(a, float.name);
    const b = variant === float ? a : await variant.floats(batch.feeds);
    for (let row = 0; row < batch.size; row++) {
      const place = placementOf(scenes[batch.start + row]!, feeding.preprocess);
      const decode = (outputs: typeof a) => decodeDetections(outputs, row, declared, place, categories);
      found.push({ float: decode(a), variant: decode(b) });
    }
  }
  const annotated = scenes.every(({ truths }) => truths !== null);
  const precision = (side: 'float' | 'variant'): Precision | null =>
    annotated
      ? averagePrecision(found.map((one, at) => ({ truths: scenes[at]!.truths ?? [], detections: one[side] })))
      : null;
  const selected = (list: readonly Detection[]) => list.filter(({ score }) => score >= declared.selectedMin);
  return {
    n: found.length,
    float: precision('float'),
    variant: precision('variant'),
    agreement: agreementOf(found.map((one) => ({ float: selected(one.float), variant: selected(one.variant) }))),
  };
}

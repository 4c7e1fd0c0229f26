import { type Detection, overlap } from './scene.js';

/** How far two models select the same boxes: what can be said without annotations. */
export interface Agreement {
  /** Boxes selected by float and by the variant. */
  readonly boxesFloat: number;
  readonly boxes: number;
  /** Pairs of one category that overlap by at least half, each box in one pair. */
  readonly matched: number;
  /** 2 matched / (boxesFloat + boxes), in percent; 100 when neither selects any. */
  readonly percent: number;
  /** Mean intersection over union of the pairs; null without pairs. */
  readonly meanOverlap: number | null;
}

const OVERLAP_MIN = 0.5;

/** Pairs boxes of one image, the ones that overlap most first. Returns the overlap of each pair. */
export function pairBoxes(a: readonly Detection[], b: readonly Detection[]): number[] {
  const pairs = a.flatMap((one, i) =>
    b.flatMap((other, j) => {
      const common = one.category === other.category ? overlap(one.box, other.box) : 0;
      return common >= OVERLAP_MIN ? [{ i, j, common }] : [];
    }),
  );
  const [left, right] = [new Set<number>(), new Set<number>()];
  const found: number[] = [];
  for (const { i, j, common } of pairs.sort((one, other) => other.common - one.common)) {
    if (left.has(i) || right.has(j)) continue;
    left.add(i);
    right.add(j);
    found.push(common);
  }
  return found;
}

/** @param images selected boxes of float and variant, an image an element */
export function agreementOf(
  images: readonly { float: readonly Detection[]; variant: readonly Detection[] }[],
): Agreement {
  let [boxesFloat, boxes, matched, sum] = [0, 0, 0, 0];
  for (const { float, variant } of images) {
    const pairs = pairBoxes(float, variant);
    boxesFloat += float.length;
    boxes += variant.length;
    matched += pairs.length;
    sum += pairs.reduce((total, common) => total + common, 0);
  }
  const all = boxesFloat + boxes;
  return {
    ...{ boxesFloat, boxes, matched },
    percent: all > 0 ? (200 * matched) / all : 100,
    meanOverlap: matched > 0 ? sum / matched : null,
  };
}

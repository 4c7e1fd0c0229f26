import { coverage, type Detection, overlap, type Truth } from './scene.js';

/** An object, and whether it is left out of the count: a crowd, or of another size class. */
export interface Counted extends Truth {
  readonly ignored: boolean;
}

/**
 * Gives each detection of one image and category the free object that it overlaps most, at least by `least`; of equals the
 * later. Objects that count go before those that are ignored; a crowd may be given many times.
 * @param detections best first
 * @returns the object of each detection, or null
 */
export function matchScene(
  truths: readonly Counted[],
  detections: readonly Detection[],
  least: number,
): (Counted | null)[] {
  const ordered = [...truths].sort((a, b) => Number(a.ignored) - Number(b.ignored));
  const taken = new Set<Counted>();
  return detections.map((detection) => {
    let [most, best]: [number, Counted | null] = [least, null];
    for (const truth of ordered) {
      if (taken.has(truth) && !truth.crowd) continue;
      if (best && !best.ignored && truth.ignored) break;
      const common = truth.crowd ? coverage(detection.box, truth.box) : overlap(detection.box, truth.box);
      if (common < most) continue;
      [most, best] = [common, truth];
    }
    if (best) taken.add(best);
    return best;
  });
}

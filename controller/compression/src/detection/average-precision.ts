/**
 * Average precision by the definition of COCO: detections, best first, are matched to objects of their category image by
 * image, at ten overlaps from 0.50 to 0.95; precision is read at 101 recalls.   [cocodataset.org/#detection-eval, after
 * Lin et al. 2014, "Microsoft COCO: Common Objects in Context"]
 */

import { matchScene } from './match.js';
import { areaOf, type Detection, type Truth } from './scene.js';

/** 0..1; null where the data has no object of the kind. */
export interface Precision {
  /** Mean over overlaps 0.50, 0.55 ... 0.95: mAP@[.5:.95]. */
  readonly ap: number | null;
  readonly ap50: number | null;
  readonly ap75: number | null;
  readonly apSmall: number | null;
  readonly apMedium: number | null;
  readonly apLarge: number | null;
  /** Mean recall over the overlaps, with at most 1, 10 and 100 detections an image and category. */
  readonly ar1: number | null;
  readonly ar10: number | null;
  readonly ar100: number | null;
}

/** One image: what is there, and what was detected, in any order. */
export interface Judged {
  readonly truths: readonly Truth[];
  readonly detections: readonly Detection[];
}

export interface AreaRange {
  readonly least: number;
  readonly most: number;
}

const OVERLAPS = Array.from({ length: 10 }, (_, at) => 0.5 + 0.05 * at);
const RECALLS = Array.from({ length: 101 }, (_, at) => at * 0.01);
/** Detections of one image and category that count: the best. */
const DETECTIONS_MAX = 100;
const AREAS = {
  all: { least: 0, most: 1e10 },
  small: { least: 0, most: 32 ** 2 },
  medium: { least: 32 ** 2, most: 96 ** 2 },
  large: { least: 96 ** 2, most: 1e10 },
} as const;

const isOutside = (area: number, { least, most }: AreaRange): boolean => area < least || area > most;

/** What one category comes to at one overlap. */
interface Curve {
  readonly precision: number;
  readonly recall: number;
}

interface Outcome {
  readonly score: number;
  readonly right: boolean;
}

/** Precision at the 101 recalls, on average, and the last recall; null when nothing was there to find. */
function curveOf(outcomes: readonly Outcome[], present: number): Curve | null {
  if (present === 0) return null;
  const [precisions, recalls]: [number[], number[]] = [[], []];
  let found = 0;
  for (const [at, { right }] of outcomes.entries()) {
    if (right) found++;
    precisions.push(found / (at + 1));
    recalls.push(found / present);
  }
  // Precision at a recall is the best at that recall or a higher one.
  for (let at = precisions.length - 2; at >= 0; at--) {
    precisions[at] = Math.max(precisions[at]!, precisions[at + 1]!);
  }
  let at = 0;
  let sum = 0;
  for (const recall of RECALLS) {
    while (at < recalls.length && recalls[at]! < recall) at++;
    if (at === recalls.length) break;
    sum += precisions[at]!;
  }
  return { precision: sum / RECALLS.length, recall: recalls.at(-1) ?? 0 };
}

const byScore = (a: { score: number }, b: { score: number }): number => b.score - a.score;

/** The curve of one category at each overlap. */
function curvesOf(images: readonly Judged[], category: number, range: AreaRange, limit: number): (Curve | null)[] {
  const scenes = images.map(({ truths, detections }) => ({
    truths: truths
      .filter((truth) => truth.category === category)
      .map((truth) => ({ ...truth, ignored: truth.crowd || isOutside(truth.area, range) })),
    detections: detections
      .filter((detection) => detection.category === category)
      .sort(byScore)
      .slice(0, limit),
  }));
  const present = scenes.reduce((sum, { truths }) => sum + truths.filter(({ ignored }) => !ignored).length, 0);
  return OVERLAPS.map((least) => {
    const outcomes = scenes.flatMap(({ truths, detections }) =>
      matchScene(truths, detections, least).flatMap((match, at): Outcome[] => {
        const { score, box } = detections[at]!;
        const ignored = match ? match.ignored : isOutside(areaOf(box), range);
        return ignored ? [] : [{ score, right: match !== null }];
      }),
    );
    return curveOf(outcomes.sort(byScore), present);
  });
}

const meanOf = (values: readonly (number | undefined)[]): number | null => {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
};

/** All figures over a data set. */
export function averagePrecision(images: readonly Judged[]): Precision {
  const categories = [...new Set(images.flatMap(({ truths }) => truths.map(({ category }) => category)))];
  const curves = (range: AreaRange, limit = DETECTIONS_MAX): (Curve | null)[][] =>
    categories.map((category) => curvesOf(images, category, range, limit));
  const all = curves(AREAS.all);
  const precision = (of: readonly (Curve | null)[][]): number | null => meanOf(of.flat().map((one) => one?.precision));
  const recall = (of: readonly (Curve | null)[][]): number | null => meanOf(of.flat().map((one) => one?.recall));
  return {
    ap: precision(all),
    ap50: meanOf(all.map((one) => one[0]?.precision)),
    ap75: meanOf(all.map((one) => one[5]?.precision)),
    apSmall: precision(curves(AREAS.small)),
    apMedium: precision(curves(AREAS.medium)),
    apLarge: precision(curves(AREAS.large)),
    ar1: recall(curves(AREAS.all, 1)),
    ar10: recall(curves(AREAS.all, 10)),
    ar100: recall(all),
  };
}

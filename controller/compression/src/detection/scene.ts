/** A rectangle in pixels of the stored image; right and bottom are outside it. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** An annotated object. */
export interface Truth {
  readonly box: Box;
  readonly category: number;
  /** Of its outline, in pixels: what its size class is read from. */
  readonly area: number;
  /** A group of objects in one box: detections inside it are neither right nor wrong. */
  readonly crowd: boolean;
}

/** What a model says it sees. */
export interface Detection {
  readonly box: Box;
  readonly category: number;
  readonly score: number;
}

/** One image of a detection data set. */
export interface Scene {
  readonly width: number;
  readonly height: number;
  /** Null when the data has no annotations at all; an image without objects has an empty list. */
  readonly truths: readonly Truth[] | null;
}

export const areaOf = ({ left, top, right, bottom }: Box): number =>
  Math.max(0, right - left) * Math.max(0, bottom - top);

const intersection = (a: Box, b: Box): number =>
  areaOf({
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  });

/** Intersection over union, 0..1. */
export function overlap(a: Box, b: Box): number {
  const common = intersection(a, b);
  return common > 0 ? common / (areaOf(a) + areaOf(b) - common) : 0;
}

/** What share of `inner` lies in `outer`: how an object is held against a crowd. */
export const coverage = (inner: Box, outer: Box): number => {
  const common = intersection(inner, outer);
  return common > 0 ? common / areaOf(inner) : 0;
};

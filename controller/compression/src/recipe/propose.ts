/** When no build of a network is fast enough: the next smaller member of its family, and what it would likely take. Pure. */

/** The width multipliers in which families of networks are published [Howard et al. 2017, sec. 3.3]. */
const WIDTHS = [0.75, 0.5, 0.35, 0.25];
/** Resolutions go in whole multiples of the strides of a network. */
const RESOLUTION_STEP = 32;
/** Below this side a network of five strides sees a single place. */
const RESOLUTION_MIN = 64;

export interface Proposal {
  readonly kind: 'width' | 'resolution';
  /** Multiplier of the width, or pixels of the side. */
  readonly value: number;
  /** By multiply-accumulates: they go with the square of the width and of the side. */
  readonly predictedUs: number;
}

export interface TooSlow {
  /** Of the fastest build that is accurate enough. */
  readonly p50Us: number;
  /** Side of the input image; null for what is no image. */
  readonly side: number | null;
  readonly latencyUs: number;
}

/** The largest width and the largest resolution that keep to the latency; none where even the smallest does not. */
export function proposeSmaller({ p50Us, side, latencyUs }: TooSlow): Proposal[] {
  const widths = WIDTHS.map((value): Proposal => ({ kind: 'width', value, predictedUs: p50Us * value ** 2 }));
  const sides: number[] = [];
  for (let next = (side ?? 0) - RESOLUTION_STEP; next >= RESOLUTION_MIN; next -= RESOLUTION_STEP) sides.push(next);
  const resolutions = sides.map(
    (value): Proposal => ({ kind: 'resolution', value, predictedUs: p50Us * (value / side!) ** 2 }),
  );
  return [widths, resolutions].flatMap((family) => family.find(({ predictedUs }) => predictedUs <= latencyUs) ?? []);
}

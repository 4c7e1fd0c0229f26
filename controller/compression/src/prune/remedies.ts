/** Pruning step by step: what is tried, and in which order, when a step costs too much accuracy. Pure. */

/** How a step is taken. A remedy that was needed once stays for the steps after it. */
export interface StepSettings {
  /** Share of the whole network's channels, or cost, that a step removes. */
  readonly step: number;
  /** Times the epochs of the recipe. */
  readonly epochs: number;
  /** The training follows the whole network beside the labels. */
  readonly distils: boolean;
}

export interface Remedy {
  readonly name: string;
  readonly settings: StepSettings;
}

const LONGER = 3;
const SMALL_STEP = 0.05;

/** The next thing to try after a step that failed with these settings; null when all are in use. */
export function nextRemedy(settings: StepSettings): Remedy | null {
  if (settings.epochs < LONGER) {
    return { name: `trained ${LONGER} times as long`, settings: { ...settings, epochs: LONGER } };
  }
  if (settings.step > SMALL_STEP) {
    return { name: `steps of ${100 * SMALL_STEP} %`, settings: { ...settings, step: SMALL_STEP } };
  }
  if (!settings.distils) {
    return { name: 'distilled from the whole network', settings: { ...settings, distils: true } };
  }
  return null;
}

/** Share that is gone after the next step; the last one only goes as far as the target. */
export const nextShare = (done: number, { step }: StepSettings, target: number): number =>
  Math.min(target, Math.round((done + step) * 1e6) / 1e6);

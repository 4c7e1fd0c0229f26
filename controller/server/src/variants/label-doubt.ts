import type { Report } from '@espalier/proto';

/** Fewer samples leave chance too wide to tell anything from it. */
const SAMPLES_MIN = 50;
/** Standard deviations above chance that a model which knows something reaches. */
const DEVIATIONS = 3;

/**
 * Why the labels of the proof cannot be right for the model, or null: float is right no more often than by chance, so that
 * keeping its accuracy keeps nothing. Pure.
 */
export function labelDoubt(report: Report | null): string | null {
  const [top1, classes] = [report?.float.top1 ?? null, report?.quality?.width ?? null];
  const n = report?.data?.n ?? 0;
  if (top1 === null || classes === null || n < SAMPLES_MIN) return null;
  const chance = 100 / classes;
  const reached = chance + DEVIATIONS * Math.sqrt((chance * (100 - chance)) / n);
  if (top1 > reached) return null;
  return `the labels contradict the model: float gets ${top1.toFixed(1)}% of ${n} samples right, as chance does with ${classes} classes; look at the labels, their order and the preprocessing`;
}

/** One model and method, with the keys of `bench:models`: top-1 in percent, speed and size as float over variant. */
export interface Line {
  readonly model: string;
  readonly method: string;
  /** The tool that made the file; absent for ours. */
  readonly peer?: string;
  readonly version?: string;
  readonly error?: string;
  /** Who ran the files: our own proof, or the peers' `evaluate.py`, which then judges all of them. */
  readonly judge: 'espalier' | 'evaluate.py';
  readonly n: number | null;
  readonly top1Float: number | null;
  readonly top1: number | null;
  readonly fixed: number | null;
  readonly broken: number | null;
  readonly sqnrDb: number | null;
  readonly speedup: number | null;
  readonly sizeRatio: number | null;
  /** Of the quantization alone. */
  readonly cpuSeconds: number | null;
  readonly peakRssMb: number | null;
  /** With another judge: what our own proof says of our file. */
  readonly own?: Readonly<Record<string, unknown>>;
}

/** One figure against its bound. */
export interface Bar {
  readonly id: string;
  readonly model: string;
  readonly value: number;
  readonly unit: string;
  /** The bound; `value` must not be above it, or with `atLeast` not below. */
  readonly limit: number;
  readonly atLeast: boolean;
  readonly met: boolean;
}

type Found = Readonly<Record<string, unknown>>;

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** What `evaluate.py` found of a file, under our keys. */
function judged(found: Found): Omit<Line, 'model' | 'method' | 'cpuSeconds' | 'peakRssMb'> {
  const error = textOf(found.error);
  return {
    judge: 'evaluate.py',
    ...(error ? { error } : {}),
    n: numberOf(found.n),
    top1Float: numberOf(found.top1_fp32),
    top1: numberOf(found.top1),
    fixed: numberOf(found.fixed),
    broken: numberOf(found.broken),
    sqnrDb: numberOf(found.sqnr_db),
    speedup: numberOf(found.speedup),
    sizeRatio: numberOf(found.size_ratio),
  };
}

/** A line of the peers' `run.py`, under our keys. */
export function peerLine(model: string, found: Found): Line {
  const version = textOf(found.version);
  return {
    model,
    method: textOf(found.method) ?? '',
    peer: textOf(found.peer) ?? 'unknown',
    ...(version ? { version } : {}),
    ...judged(found),
    cpuSeconds: numberOf(found.cpu_s),
    peakRssMb: numberOf(found.peak_rss_mb),
  };
}

/**
 * Our build as a line.
 * @param built what `models-child.ts` printed
 * @param found what `evaluate.py` says of the file; null when our own proof is all there is
 */
export function ourLine(built: Found, found: Found | null): Line {
  const build = built.build as { cpuSeconds: number; peakRssMb: number };
  const method = textOf(built.method) ?? '';
  const { model, build: _, cpuSeconds: total, peakRssMb: peak, ...own } = built;
  const head = { ...build, model: textOf(model) ?? '', method };
  if (!found) return { ...(own as unknown as Line), ...head, judge: 'espalier' };
  const figures = judged(found);
  // A float build is the file itself: no noise and no other speed, whatever the judge divides by.
  const same = method === 'float' ? { sqnrDb: null, speedup: 1 } : {};
  return { ...figures, ...head, ...same, own: { ...own, cpuSeconds: total, peakRssMb: peak } };
}

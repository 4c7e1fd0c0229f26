/** Runs a network stage by stage, and holds it against the whole one. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { SessionOptions } from '@espalier/proto';
import { type ExitStage, endsHere, StagedModel, sha256Hex } from '@espalier/proto';
import { Tensor } from 'onnxruntime-node';
import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { StagesUnfit } from '../errors.js';
import { argmax } from '../recipe/accuracy.js';
import { median } from '../recipe/latency.js';
import { defaultOptions, type Feeds, type Output, Session } from '../runtime/session.js';

export const STAGES_FILE = 'stages.json';

export interface StagedResult {
  /** The stage that a sample ended at, from 0. */
  readonly exit: number;
  readonly logits: Output;
}

/** Runs stages until one is sure. @param runs what each stage gives for its input */
export async function runStaged(
  stages: readonly ExitStage[],
  runs: readonly ((feeds: Feeds) => Promise<Record<string, Output>>)[],
  feeds: Feeds,
): Promise<StagedResult> {
  let input = feeds;
  for (const [exit, stage] of stages.entries()) {
    const made = await runs[exit]!(input);
    const logits = made[stage.logits]!;
    if (endsHere(stage, logits.data)) return { exit, logits };
    const { data, dims } = made[stage.feature!]!;
    input = { [stages[exit + 1]!.input]: new Tensor('float32', data, [...dims]) };
  }
  throw new Error('the last stage did not end');
}

/** The stages of a folder, loaded. */
export class StagedSession {
  private constructor(
    readonly model: StagedModel,
    private readonly sessions: readonly Session[],
  ) {}

  /** @throws ESP_STAGES_UNFIT, ESP_RUNTIME_REFUSED */
  static async open(folder: string, options: SessionOptions = defaultOptions): Promise<StagedSession> {
    const model = await readStages(path.join(folder, STAGES_FILE));
    const sessions: Session[] = [];
    try {
      for (const { file, sha256 } of model.stages) {
        const bytes = new Uint8Array(await readFile(path.join(folder, path.basename(file))));
        if (sha256Hex(bytes) !== sha256) throw StagesUnfit({ file, why: 'it is not the file that was listed' });
        sessions.push(await Session.open(bytes, file, options));
      }
      return new StagedSession(model, sessions);
    } catch (error) {
      await Promise.all(sessions.map((session) => session.dispose()));
      throw error;
    }
  }

  get inputs() {
    return this.sessions[0]!.inputs;
  }

  /** One sample: the confidence is that of a batch of 1. */
  run(feeds: Feeds): Promise<StagedResult> {
    return runStaged(
      this.model.stages,
      this.sessions.map((session) => (given) => session.floats(given)),
      feeds,
    );
  }

  async dispose(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.dispose()));
  }
}

async function readStages(file: string): Promise<StagedModel> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw StagesUnfit({ file, why: (error as Error).message }, { cause: error });
  }
  const parsed = StagedModel.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw StagesUnfit({ file, why: `${issue.path.join('.')}: ${issue.message}` });
}

export interface StagedReport {
  readonly n: number;
  /** Samples that ended at each stage. */
  readonly histogram: readonly number[];
  /** Percent of the labelled samples; null without labels. */
  readonly top1: number | null;
  readonly top1Whole: number | null;
  /** Mean multiply-accumulates of a sample. */
  readonly meanMacs: number;
  /** Median of each stage's samples, weighted by how many ended there: what others do to the machine stays out. */
  readonly meanUs: number;
  /** Median of the whole network. */
  readonly wholeUs: number;
}

/** Runs both over the data, one sample at a time and by turns, so that what else the machine does falls on both. */
export async function compareStaged(
  staged: StagedSession,
  whole: Session,
  data: Dataset,
  feeding: BatchOptions,
): Promise<StagedReport> {
  const { stages } = staged.model;
  const times = stages.map((): number[] => []);
  const wholeTimes: number[] = [];
  const first = whole.outputs[0]!.name;
  let [right, rightWhole, n] = [0, 0, 0];
  for await (const { feeds, labels } of batches(data, { ...feeding, batchSize: 1 })) {
    const [start, result] = [performance.now(), await staged.run(feeds)];
    const [middle, given] = [performance.now(), await whole.floats(feeds)];
    wholeTimes.push(1000 * (performance.now() - middle));
    times[result.exit]!.push(1000 * (middle - start));
    n++;
    if (!labels) continue;
    if (argmax(result.logits.data, 0, result.logits.data.length) === labels[0]) right++;
    if (argmax(given[first]!.data, 0, given[first]!.data.length) === labels[0]) rightWhole++;
  }
  const histogram = times.map(({ length }) => length);
  const mean = (of: (stage: number) => number): number =>
    histogram.reduce((sum, count, stage) => sum + (count > 0 ? count * of(stage) : 0), 0) / Math.max(1, n);
  return {
    ...{ n, histogram, meanMacs: mean((stage) => stages[stage]!.macs) },
    top1: data.labelled ? (100 * right) / n : null,
    top1Whole: data.labelled ? (100 * rightWhole) / n : null,
    ...{ meanUs: mean((stage) => median(times[stage]!)), wholeUs: median(wholeTimes) },
  };
}

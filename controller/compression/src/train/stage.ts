/** One stage of a training: epochs over the samples with one set of settings. */

import { randomFrom } from '../data/feeds.js';
import { TrainingDiverged } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { buildTraining, type Hint, type TrainingGraph, type TrainingSpec } from './build.js';
import type { Checkpoint, EpochRecord } from './checkpoint.js';
import { LossScale } from './half.js';
import { average, Optimizer } from './optimizer.js';
import { initialVector, storeParameters } from './parameters.js';
import type { TrainStage } from './recipe.js';
import type { Samples } from './samples.js';
import { rateFactor, seedOfEpoch, shuffled, temperatureAt } from './schedule.js';
import type { Dims } from './tape.js';
import { type AskedLogits, setupTeacher } from './teacher.js';
import { Team } from './team.js';

/** Share of the running statistics of a norm that a step renews, as PyTorch has it. */
const STATISTICS_KEEP = 0.9;

export interface StageContext {
  readonly samples: Samples;
  readonly teacher: Graph | null;
  readonly asked: AskedLogits | null;
  readonly seed: number;
  readonly block: number;
  readonly workers: number;
  readonly dimsOf: { readonly student: (value: string) => Dims; readonly teacher: (value: string) => Dims };
  readonly signal?: AbortSignal | undefined;
  /** Parameters that stay as they are, whatever the recipe says. */
  readonly isFrozen?: ((parameter: string) => boolean) | undefined;
  /** Logits inside the network that learn beside its output. */
  readonly exits?: readonly string[] | undefined;
  /** After each step. */
  readonly onStep: (step: StepRecord) => void;
  /** After each epoch, with what a checkpoint needs. */
  readonly onEpoch: (record: Omit<EpochRecord, 'stage'>, state: StageState) => Promise<void>;
}

export interface StepRecord {
  readonly epoch: number;
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}

export type StageState = Pick<Checkpoint, 'optimizer' | 'averaged' | 'lossScale'>;

/** What stays as it is while only the head is trained: all but the last weighted operator's parameters. */
function frozenOf(graph: Graph, stage: TrainStage, { isFrozen }: StageContext): (name: string) => boolean {
  if (isFrozen || stage.train === 'all') return isFrozen ?? (() => false);
  const last = graph.nodes.filter(({ opType }) => ['Conv', 'Gemm', 'MatMul'].includes(opType)).at(-1);
  const heads = new Set(last?.inputs ?? []);
  return (name) => !heads.has(name);
}

function hintsOf({ distill }: TrainStage, { dimsOf }: StageContext): Hint[] {
  return (distill?.hints ?? []).map(({ kind, student, teacher, weight }) => ({
    ...{ kind, student, weight, teacherDims: dimsOf.teacher(teacher) },
  }));
}

/** Learns in place: the graph's constants are the trained ones afterwards. */
export class Stage {
  private readonly training: TrainingGraph;
  private readonly optimizer: Optimizer;
  private readonly running: Float32Array;
  private readonly lossScale: LossScale | null;
  private averaged: Float32Array;
  private readonly workers: number;
  private readonly vector: Float32Array;

  constructor(
    private readonly graph: Graph,
    private readonly stage: TrainStage,
    private readonly context: StageContext,
    resumed: StageState | null,
  ) {
    this.workers = stage.batch % context.workers === 0 ? context.workers : 1;
    const { distill, optimizer, batch } = stage;
    const weight = distill?.weight ?? 0;
    const spec: TrainingSpec = {
      ...{ batch: batch / this.workers, block: context.block, isFrozen: frozenOf(graph, stage, context) },
      isHalf: stage.precision === 'float16',
      objective: {
        ...{ labels: 1 - weight, distillation: weight, hints: hintsOf(stage, context) },
        exits: context.exits ?? [],
      },
    };
    this.training = buildTraining(graph, spec, context.dimsOf.student);
    this.vector = initialVector(this.training.parameters);
    this.running = initialVector(this.training.statistics);
    this.optimizer = new Optimizer(optimizer, this.training.parameters, this.vector.length);
    this.lossScale = spec.isHalf ? new LossScale(resumed?.lossScale ?? { value: stage.lossScale, good: 0 }) : null;
    this.averaged = optimizer.average > 0 ? this.vector.slice() : new Float32Array();
    if (resumed) {
      this.optimizer.restore(resumed.optimizer);
      this.averaged = resumed.averaged;
    }
  }

  get stepsPerEpoch(): number {
    return Math.max(1, Math.floor(this.context.samples.n / this.stage.batch));
  }

  /**
   * Runs from an epoch to the end.
   * @returns the step at which the loss was no longer a number, when that happened: then the graph is as it was an epoch
   * before. @throws ESP_TRAINING_DIVERGED in the first epoch, ESP_TRAINING_FAILED, and the signal's reason
   */
  async run(from: number): Promise<{ divergedAt: number | null }> {
    const { teacher, asked } = this.context;
    const team = await Team.open({
      ...{ training: this.training, workers: this.workers, threads: this.workers > 1 ? 1 : 2 },
      teacher: teacher && !asked && this.stage.distill ? setupTeacher(teacher, this.stage) : null,
      givenLogits: asked !== null,
    });
    try {
      team.parameters.set(this.vector);
      for (let epoch = from; epoch < this.stage.epochs; epoch++) {
        const started = performance.now();
        const { loss, badStep } = await this.epoch(team, epoch);
        if (badStep !== null) {
          if (epoch === from) throw TrainingDiverged({ step: badStep + 1, epoch: epoch + 1 });
          return { divergedAt: epoch * this.stepsPerEpoch + badStep };
        }
        this.store(team, epoch === this.stage.epochs - 1);
        const lossScale = this.lossScale?.state ?? null;
        const state = { optimizer: this.optimizer.state, averaged: this.averaged, lossScale };
        const seconds = (performance.now() - started) / 1000;
        await this.context.onEpoch({ epoch, loss, seconds }, state);
      }
      return { divergedAt: null };
    } finally {
      await team.close();
    }
  }

  /** Writes the weights into the graph; at the very end the averaged ones, where there are any. */
  private store(team: Team, isLast: boolean): void {
    const isAveraged = isLast && this.averaged.length > 0;
    storeParameters(this.graph, this.training.parameters, isAveraged ? this.averaged : team.parameters);
    storeParameters(this.graph, this.training.statistics, this.running);
  }

  private async epoch(team: Team, epoch: number): Promise<{ loss: number; badStep: number | null }> {
    const { samples, seed, signal, onStep } = this.context;
    const random = randomFrom(seedOfEpoch(seed, epoch));
    const order = shuffled(samples.n, random);
    const steps = this.stepsPerEpoch;
    let sum = 0;
    this.fill(team, 0, order, 0, random);
    for (let step = 0; step < steps; step++) {
      signal?.throwIfAborted();
      const overall = epoch * steps + step;
      const total = this.stage.epochs * steps;
      const { from, to } = this.stage.distill?.temperature ?? { from: 1, to: 1 };
      const temperature = temperatureAt(overall, total, from, to);
      const computed = team.run(step % 2, { temperature, lossScale: this.lossScale?.state.value ?? 1 });
      // The next batch is drawn while the workers compute.
      if (step + 1 < steps) this.fill(team, (step + 1) % 2, order, step + 1, random);
      const loss = await computed;
      if (!Number.isFinite(loss)) return { loss, badStep: step };
      sum += loss;
      this.update(team, overall, total);
      onStep({ epoch, step: overall, steps: total, loss });
    }
    return { loss: sum / steps, badStep: null };
  }

  private fill(team: Team, slot: number, order: Int32Array, step: number, random: () => number): void {
    const { samples, asked } = this.context;
    const { augment, labelSmoothing, batch } = this.stage;
    const part = batch / this.workers;
    for (const [index, into] of team.parts(slot).entries()) {
      const start = step * batch + index * part;
      // A data set smaller than a batch is gone through again.
      const rows = Int32Array.from({ length: part }, (_, at) => order[(start + at) % order.length]!);
      const mirrored = samples.fill(rows, into, { augment, labelSmoothing, random });
      if (asked && into.teacher) asked.fill(rows, mirrored, into.teacher);
    }
  }

  private update(team: Team, step: number, steps: number): void {
    const { rate, warmup, average: keep } = this.stage.optimizer;
    if (this.lossScale && !this.lossScale.unscale(team.gradients)) return;
    this.optimizer.step(team.parameters, team.gradients, rate * rateFactor(step, steps, warmup));
    if (this.running.length > 0) average(this.running, team.statistics, STATISTICS_KEEP);
    if (keep > 0) average(this.averaged, team.parameters, keep);
  }
}

/**
 * Data-parallel workers: each computes the gradient on its part of the batch with one thread, the average is that of the
 * whole. Two workers of one thread are faster than one of two, because much of a training graph runs on one thread only.
 */
import { Worker } from 'node:worker_threads';
import { TrainingFailed } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { defaultOptions } from '../runtime/session.js';
import { FED, type TrainingGraph } from './build.js';
import type { BatchBuffers } from './samples.js';
import {
  type SharedTensor,
  type SharedTensors,
  sharedTensor,
  type TeacherSetup,
  viewOf,
  type WorkerAnswer,
  type WorkerSetup,
} from './worker-protocol.js';

const WORKER = new URL('./worker.js', import.meta.url);
const SLOTS = 2;

export interface TeamOptions {
  /** For one worker's part of the batch. */
  readonly training: TrainingGraph;
  readonly workers: number;
  readonly threads: number;
  readonly teacher: TeacherSetup | null;
  /** True when the teacher's logits are given with the batch. */
  readonly givenLogits: boolean;
}

/** Where a worker's part of a batch goes. */
export interface Part extends BatchBuffers {
  /** Logits of the teacher, where they are given. */
  readonly teacher: Float32Array | null;
}

/** What changes from step to step beside the batch. */
export interface StepScalars {
  readonly temperature: number;
  readonly lossScale: number;
}

interface Member {
  readonly worker: Worker;
  readonly parts: readonly Part[];
  readonly outputs: Readonly<Record<string, Float32Array>>;
  waiting: { resolve: () => void; reject: (error: Error) => void } | null;
}

/** The numbers of the shared inputs and outputs. */
interface Memory {
  readonly parameters: SharedTensor;
  readonly temperature: SharedTensor;
  readonly lossScale: SharedTensor;
}

export class Team {
  readonly parameters: Float32Array;
  private readonly temperature: Float32Array;
  private readonly lossScale: Float32Array;
  readonly gradients: Float32Array;
  readonly statistics: Float32Array;

  private constructor(
    private readonly members: readonly Member[],
    memory: Memory,
  ) {
    this.parameters = viewOf(memory.parameters);
    this.temperature = viewOf(memory.temperature);
    this.lossScale = viewOf(memory.lossScale);
    const { gradients, statistics } = members[0]!.outputs;
    this.gradients = new Float32Array(gradients!.length);
    this.statistics = new Float32Array(statistics?.length ?? 0);
  }

  /** @throws ESP_TRAINING_FAILED */
  static async open(options: TeamOptions): Promise<Team> {
    const memory = {
      parameters: sharedTensor([options.training.parameters.reduce((sum, { length }) => sum + length, 0)]),
      temperature: sharedTensor([]),
      lossScale: sharedTensor([]),
    };
    const model = encodeModel(options.training.graph);
    const members = Array.from({ length: options.workers }, () => hire(options, model, memory));
    const team = new Team(members, memory);
    try {
      await allAnswered(members);
      return team;
    } catch (error) {
      await team.close();
      throw error;
    }
  }

  /** Where the batch of a slot goes, worker by worker. */
  parts(slot: number): Part[] {
    return this.members.map(({ parts }) => parts[slot]!);
  }

  /** Computes loss, gradients and statistics of the batch in a slot. @returns the loss @throws ESP_TRAINING_FAILED */
  async run(slot: number, { temperature, lossScale }: StepScalars): Promise<number> {
    this.temperature[0] = temperature;
    this.lossScale[0] = lossScale;
    const answers = allAnswered(this.members);
    for (const { worker } of this.members) worker.postMessage(slot);
    await answers;
    const outputs = this.members.map((member) => member.outputs);
    averageInto(
      this.gradients,
      outputs.map(({ gradients }) => gradients!),
    );
    if (this.statistics.length > 0)
      averageInto(
        this.statistics,
        outputs.map(({ statistics }) => statistics!),
      );
    return outputs.reduce((sum, { loss }) => sum + loss![0]!, 0) / outputs.length;
  }

  /** Ends the workers; none may be in the middle of a run. */
  async close(): Promise<void> {
    await Promise.all(this.members.map(({ worker }) => worker.terminate()));
  }
}

function averageInto(into: Float32Array, parts: readonly Float32Array[]): void {
  into.set(parts[0]!);
  for (const part of parts.slice(1)) for (let at = 0; at < into.length; at++) into[at]! += part[at]!;
  if (parts.length > 1) for (let at = 0; at < into.length; at++) into[at]! /= parts.length;
}

function hire({ training, threads, teacher, givenLogits }: TeamOptions, model: Uint8Array, memory: Memory): Member {
  const { graph, input, inputDims, classes } = training;
  const given = new Set(graph.inputs.map(({ name }) => name));
  const batch = inputDims[0]!;
  const slots = Array.from(
    { length: SLOTS },
    (): Record<string, SharedTensor> => ({
      [input]: sharedTensor(inputDims),
      ...(given.has(FED.target) && { [FED.target]: sharedTensor([batch, classes]) }),
      ...(givenLogits && { [FED.teacher]: sharedTensor([batch, classes]) }),
    }),
  );
  const count = memory.parameters.dims[0]!;
  const statistics = training.statistics.reduce((sum, { length }) => sum + length, 0);
  const outputs: SharedTensors = {
    ...{ loss: sharedTensor([]), gradients: sharedTensor([count]) },
    ...(statistics > 0 && { statistics: sharedTensor([statistics]) }),
  };
  const shared: SharedTensors = {
    [FED.parameters]: memory.parameters,
    ...(given.has(FED.temperature) && { [FED.temperature]: memory.temperature }),
    ...(given.has(FED.lossScale) && { [FED.lossScale]: memory.lossScale }),
  };
  const setup: WorkerSetup = { model, input, shared, slots, outputs, teacher, options: sessionOptions(threads) };
  const worker = new Worker(WORKER, { workerData: setup, execArgv: [] });
  const member: Member = {
    ...{ worker, waiting: null },
    parts: slots.map((slot) => ({
      x: viewOf(slot[input]!),
      // Distillation alone reads no targets: they are drawn all the same, and fall on the floor.
      target: slot[FED.target] ? viewOf(slot[FED.target]!) : new Float32Array(batch * classes),
      teacher: slot[FED.teacher] ? viewOf(slot[FED.teacher]!) : null,
    })),
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, viewOf(tensor)])),
  };
  listen(member);
  return member;
}

/** Threads that wait do not spin: on a busy machine spinning doubles the time of a step. */
const sessionOptions = (threads: number) => ({
  ...defaultOptions,
  intraOpNumThreads: threads,
  extra: { ...defaultOptions.extra, 'session.intra_op.allow_spinning': '0' },
});

function listen(member: Member): void {
  const settle = (error: Error | null): void => {
    const { waiting } = member;
    member.waiting = null;
    if (error) waiting?.reject(error);
    else waiting?.resolve();
  };
  member.worker.on('message', (message: WorkerAnswer) =>
    settle('failed' in message ? TrainingFailed({ why: message.failed }) : null),
  );
  member.worker.on('error', (error) => settle(TrainingFailed({ why: error.message }, { cause: error })));
  member.worker.on('exit', (code) => settle(TrainingFailed({ why: `a worker ended with ${code}` })));
}

/** Settles when every worker has answered, also when one failed: a worker that is ended while it runs ends the process. */
async function allAnswered(members: readonly Member[]): Promise<void> {
  const answers = members.map(
    (member) =>
      new Promise<void>((resolve, reject) => {
        member.waiting = { resolve, reject };
      }),
  );
  const failed = (await Promise.allSettled(answers)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/** The teacher of a distillation: run beside every step, or asked once for all samples where that is the same. */
import { Tensor } from 'onnxruntime-node';
import { TeacherUnfit } from '../errors.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { defaultOptions, Session } from '../runtime/session.js';
import { FED, hintName, logitsOf } from './build.js';
import type { Augmentation, TrainStage } from './recipe.js';
import type { Samples } from './samples.js';
import type { TeacherSetup } from './worker-protocol.js';

const PLAIN: Augmentation = {
  ...{ flip: false, shift: 0, scale: 0, rotate: 0, brightness: 0, contrast: 0, hue: 0, saturation: 0 },
  ...{ cutmix: 0, mixup: 0 },
};

/** True where an image is the same to the teacher, but for its mirror and a few pixels of shift. */
export const canAskOnce = ({ augment, distill }: TrainStage): boolean =>
  distill?.hints.length === 0 &&
  [augment.scale, augment.rotate, augment.brightness, augment.contrast].every((amount) => amount === 0) &&
  [augment.hue, augment.saturation, augment.cutmix, augment.mixup].every((amount) => amount === 0);

/** The teacher as the workers run it: logits and hints become inputs of the training graph. */
export function setupTeacher(teacher: Graph, { distill }: TrainStage): TeacherSetup {
  const hints = distill?.hints ?? [];
  const logits = logitsOf(teacher);
  const feeds: { output: string; input: string }[] =
    distill && distill.weight > 0 ? [{ output: logits, input: FED.teacher }] : [];
  for (const [at, hint] of hints.entries()) {
    if (!teacher.producer(hint.teacher)) throw TeacherUnfit({ why: `it has no value ${hint.teacher}` });
    feeds.push({ output: hint.teacher, input: hintName(at) });
  }
  const values = [...new Set(feeds.map(({ output }) => output))];
  return { model: encodeModel(cloneGraph(teacher, values)), input: teacher.inputs[0]!.name, feeds };
}

/** Logits for every sample as it is, and then for every sample mirrored: [2, n, classes]. */
export class AskedLogits {
  private constructor(
    private readonly values: Float32Array,
    private readonly n: number,
    private readonly classes: number,
  ) {}

  static async ask(
    teacher: Graph,
    samples: Samples,
    batch: { dims: readonly number[]; classes: number; mirror: boolean; threads: number },
    onProgress: (share: number) => void,
    signal?: AbortSignal,
  ): Promise<AskedLogits> {
    const { dims, classes, mirror, threads } = batch;
    const [size] = dims as [number];
    const name = logitsOf(teacher);
    const options = { ...defaultOptions, intraOpNumThreads: threads };
    const session = await Session.open(encodeModel(cloneGraph(teacher, [name])), 'the teacher', options);
    const { n } = samples;
    const views = mirror ? 2 : 1;
    const values = new Float32Array(2 * n * classes);
    const into = { x: new Float32Array(size * elements(dims)), target: new Float32Array(size * classes) };
    try {
      for (let view = 0; view < views; view++) {
        for (let start = 0; start < n; start += size) {
          signal?.throwIfAborted();
          const rows = Array.from({ length: size }, (_, at) => Math.min(start + at, n - 1));
          // 0 is below one half: with mirroring on, every image is mirrored.
          const augment = view === 1 ? { ...PLAIN, flip: true } : null;
          samples.fill(rows, into, { augment, labelSmoothing: 0, random: () => 0 });
          const made = await session.floats({ [teacher.inputs[0]!.name]: new Tensor('float32', into.x, [...dims]) });
          const logits = made[name]!.data;
          if (logits.length !== size * classes) {
            throw TeacherUnfit({ why: `it has ${logits.length / size} classes and the student ${classes}` });
          }
          const real = Math.min(size, n - start);
          values.set(logits.subarray(0, real * classes), (view * n + start) * classes);
          onProgress((view * n + start + real) / (views * n));
        }
      }
      return new AskedLogits(values, n, classes);
    } finally {
      await session.dispose();
    }
  }

  /** Writes the logits of drawn samples into the rows of a batch. */
  fill(samples: ArrayLike<number>, mirrored: readonly boolean[], into: Float32Array): void {
    const { classes, n } = this;
    for (let row = 0; row < samples.length; row++) {
      const start = ((mirrored[row] ? n : 0) + samples[row]!) * classes;
      into.set(this.values.subarray(start, start + classes), row * classes);
    }
  }
}

const elements = (dims: readonly number[]): number => dims.slice(1).reduce((product, size) => product * size, 1);

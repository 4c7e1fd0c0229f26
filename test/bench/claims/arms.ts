/** ResNet-20 on CIFAR-10 in all the ways that the claims compare: what is trained, how, and for how many image passes. */
import { readChecked } from '@espalier/compression/inspect';
import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { floatTensor } from '@espalier/compression/onnx/tensor';
import type { Importance } from '@espalier/compression/prune/prunable';
import type { Subject } from '../training/subject.ts';
import type { Arm, Lab } from './lab.ts';

export const MODEL = 'cifar10-resnet20';
const TEACHER = 'cifar10-resnet56';
/** Each is seen once, unless an arm says otherwise. */
const SAMPLES = 5000;

export const stageOf = (more: object = {}) => ({
  ...{ epochs: 1, batch: 64, optimizer: { rate: 0.02, weightDecay: 5e-4, warmup: 0.1 } },
  augment: { flip: true, shift: 4 },
  ...more,
});

interface TrainedArm {
  readonly id: string;
  /** What is cut from the network before; nothing when absent. */
  readonly cut?: { readonly importance: Importance; readonly ratio: number };
  readonly stage?: object;
  readonly freshNorm?: boolean;
  readonly teacher?: 'itself' | 'larger';
  readonly change?: (graph: Graph) => Graph;
  /** The figure is that of the network with rounded weights and activations. */
  readonly simulated?: boolean;
}

async function teacherOf({ teacher }: TrainedArm, subject: Subject, { data }: Lab): Promise<Graph | null> {
  if (!teacher) return null;
  return teacher === 'itself' ? subject.graph : readChecked(`${data}/models/${TEACHER}.onnx`);
}

/** Cuts, trains and judges on the evaluation part: top-1 in percent. */
export function trainedArm(arm: TrainedArm): Arm {
  return {
    id: arm.id,
    async run(lab, seed) {
      const subject = await lab.subject(MODEL);
      const whole = arm.freshNorm === false ? subject.prepared : subject.graph;
      const cut = arm.cut ? await subject.cut({ ...arm.cut, seed }) : whole;
      const recipe = { freshNorm: arm.freshNorm ?? true, stages: [stageOf(arm.stage)] };
      const teacher = await teacherOf(arm, subject, lab);
      const trained = await subject.train(arm.change?.(cut) ?? cut, recipe, SAMPLES, teacher, seed);
      return (await subject.top1(arm.simulated ? trained.simulated! : trained.graph)).top1;
    },
  };
}

/** Every Relu a Clip to 0..6. */
export function withRelu6(original: Graph): Graph {
  const graph = cloneGraph(original);
  const bounds = [0, 6].map((bound) => graph.addConstant('relu6', floatTensor([], Float32Array.of(bound))));
  for (const node of graph.nodes.filter(({ opType }) => opType === 'Relu')) {
    graph.change(node, { opType: 'Clip', inputs: [node.inputs[0]!, ...bounds] });
  }
  return graph;
}

/** Removes a share in steps, the image passes shared out among them, so that every image is seen as often as in one shot. */
export const steppedArm = (id: string, ratio: number, steps: number, epochs: number): Arm => ({
  id,
  async run(lab, seed) {
    const subject = await lab.subject(MODEL);
    // Too few passes after a step leave the norms' statistics behind the weights, and every step would start from less.
    const passes = (epochs * SAMPLES) / steps;
    let graph = subject.graph;
    for (let step = 0; step < steps; step++) {
      graph = await subject.cut({ importance: 'l1', ratio: (ratio * (step + 1)) / steps, from: graph, seed });
      const from = (step * passes) % SAMPLES;
      const part = { from, to: from + passes };
      graph = (await subject.train(graph, { stages: [stageOf()] }, part, null, seed + 100 * step)).graph;
    }
    return (await subject.top1(graph)).top1;
  },
});

/** From the whole network by way of narrower ones, each the teacher of the next, the passes shared out among them. */
export const chainedArm = (id: string, ratios: readonly number[]): Arm => ({
  id,
  async run(lab, seed) {
    const subject = await lab.subject(MODEL);
    let teacher = subject.graph;
    for (const [at, ratio] of ratios.entries()) {
      const student = await subject.cut({ importance: 'l1', ratio, seed });
      const stage = stageOf({ distill: { weight: 0.9 } });
      const passes = SAMPLES / ratios.length;
      const part = { from: at * passes, to: (at + 1) * passes };
      teacher = (await subject.train(student, { stages: [stage] }, part, teacher, seed)).graph;
    }
    return (await subject.top1(teacher)).top1;
  },
});

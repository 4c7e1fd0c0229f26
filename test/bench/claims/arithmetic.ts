/** Claims about number formats: no training, so that a seed chooses a network or a batch. */
import { openDataset } from '@espalier/compression/data/dataset';
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { floatsOf, floatTensor } from '@espalier/compression/onnx/tensor';
import { compare } from '@espalier/compression/recipe/accuracy';
import { Session } from '@espalier/compression/runtime/session';
import { buildTraining, FED } from '@espalier/compression/train/build';
import { halfTimeRatio } from '@espalier/compression/train/half-speed';
import { initialVector } from '@espalier/compression/train/parameters';
import { Samples } from '@espalier/compression/train/samples';
import { Tensor } from 'onnxruntime-node';
import { cifarSpec, type Subject } from '../training/subject.ts';
import { MODEL } from './arms.ts';
import type { Arm } from './lab.ts';

const MODELS = [MODEL, 'cifar10-resnet56', 'mlperf-tiny-ic-resnet8'];
const BATCH = 64;
const CLASSES = 10;

/** Weights of every convolution on whole steps: from -2^(b-1) where the range is full, else from 1 more. */
function withRoundedWeights(original: Graph, bits: number, isFull: boolean): Graph {
  const graph = cloneGraph(original);
  const most = 2 ** (bits - 1) - 1;
  const least = isFull ? -most - 1 : -most;
  for (const node of graph.nodes.filter(({ opType }) => opType === 'Conv')) {
    const tensor = graph.constantOf(node, 1)!;
    const values = floatsOf(tensor)!.slice();
    const size = values.length / tensor.dims[0]!;
    for (let start = 0; start < values.length; start += size) {
      const row = values.subarray(start, start + size);
      const scale = Math.max(...row.map((w) => (w > 0 ? w / most : w / least)), 1e-12);
      for (let at = 0; at < size; at++) row[at] = Math.min(most, Math.max(least, Math.round(row[at]! / scale))) * scale;
    }
    graph.constants.set(node.inputs[1]!, floatTensor(tensor.dims, values));
  }
  return graph;
}

/** Signal to noise of the logits, in dB, of the network that the seed stands for. */
export const weightRange = (id: string, bits: number, isFull: boolean): Arm => ({
  id,
  async run(lab, seed) {
    const subject = await lab.subject(MODELS[(seed - 1) % MODELS.length]!);
    const [float, rounded] = await Promise.all(
      [subject.prepared, withRoundedWeights(subject.prepared, bits, isFull)].map((graph) =>
        Session.open(encodeModel(graph), id),
      ),
    );
    const data = await openDataset(`cifar10:${lab.data}/cifar10/test_5k.bin.gz?to=1000`);
    const { sqnrDb } = await compare(float!, rounded!, data, subject.feeding);
    await Promise.all([float!.dispose(), rounded!.dispose()]);
    return Object.values(sqnrDb)[0]!;
  },
});

export const halfTime: Arm = { id: 'half-time', run: () => halfTimeRatio() };

async function gradients(subject: Subject, batch: { x: Tensor; target: Tensor }, lossScale: number | null) {
  const objective = { labels: 1, distillation: 0, hints: [] };
  const isHalf = lossScale !== null;
  const training = buildTraining(subject.graph, { batch: BATCH, block: 1, objective, isHalf }, () => []);
  const session = await Session.open(encodeModel(training.graph), 'the training graph');
  const vector = initialVector(training.parameters);
  const { gradients: found } = await session.floats({
    ...{ [training.input]: batch.x, [FED.target]: batch.target },
    [FED.parameters]: new Tensor('float32', vector, [vector.length]),
    ...(isHalf && { [FED.lossScale]: new Tensor('float32', Float32Array.of(lossScale), []) }),
  });
  await session.dispose();
  return found!.data;
}

/** Share of the gradients that float16 left of those that float32 has, in percent; the seed chooses the batch. */
export const survivingGradients = (id: string, lossScale: number): Arm => ({
  id,
  async run(lab, seed) {
    const subject = await lab.subject(MODEL);
    const { inputs, preprocess } = subject.feeding;
    const data = await openDataset(cifarSpec(lab.data, { from: BATCH * (seed - 1), to: BATCH * seed }));
    const [input] = inputs;
    const dims = [BATCH, ...input!.shape.slice(1).map(Number)];
    const samples = await Samples.read(data, { input: input!, dims, classes: CLASSES, preprocess });
    const x = new Float32Array(dims.reduce((product, size) => product * size, 1));
    const target = new Float32Array(BATCH * CLASSES);
    const rows = Int32Array.from({ length: BATCH }, (_, at) => at);
    samples.fill(rows, { x, target }, { augment: null, labelSmoothing: 0, random: () => 1 });
    const batch = {
      x: new Tensor('float32', x, dims),
      target: new Tensor('float32', target, [BATCH, CLASSES]),
    };
    const exact = await gradients(subject, batch, null);
    const rounded = await gradients(subject, batch, lossScale);
    let [some, left] = [0, 0];
    for (let at = 0; at < exact.length; at++) {
      if (exact[at] === 0) continue;
      some++;
      if (rounded[at] !== 0) left++;
    }
    return (100 * left) / some;
  },
});

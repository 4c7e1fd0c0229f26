/** What the exits learn: the network's own answers, first with it frozen. */
import type { Dataset } from '../data/content.js';
import { cloneGraph } from '../onnx/codec.js';
import { Graph } from '../onnx/graph.js';
import { removeDead } from '../passes/remove-dead.js';
import { TrainRecipe } from '../train/recipe.js';
import { train } from '../train/train.js';
import type { ExitsOptions } from './exits.js';
import type { Exit } from './heads.js';

/** A copy that returns nothing but some of its outputs, in this order. */
function upTo(graph: Graph, values: readonly string[]): Graph {
  const { shell, nodes, constants, inputs, outputs } = cloneGraph(graph);
  const kept = values.map((value) => outputs.find(({ name }) => name === value)!);
  const part = new Graph(shell, { nodes: [...nodes], constants, inputs: [...inputs], outputs: kept });
  removeDead.run(part);
  return part;
}

/** Heads first, on the frozen network; then, where it is asked for, all of it together. */
export async function teach(
  headed: { graph: Graph; exits: readonly Exit[] },
  teacher: Graph,
  data: Dataset,
  options: ExitsOptions,
): Promise<Graph> {
  const { epochs, jointEpochs, input, preprocess, seed, workers, signal, onProgress } = options;
  const own = new Set(teacher.constants.keys());
  const exits = headed.exits.map(({ logits }) => logits);
  const common = { data, input, preprocess, seed, workers, signal, teacher };
  const distill = { weight: 0.7, temperature: { from: 2, to: 2 } };
  const steps = epochs + jointEpochs;
  let graph = cloneGraph(headed.graph);
  if (epochs > 0) {
    const optimizer = { kind: 'adamw', rate: 0.002 };
    const recipe = TrainRecipe.parse({ freshNorm: false, stages: [{ name: 'heads', epochs, distill, optimizer }] });
    const isFrozen = (name: string): boolean => own.has(name);
    const tell = ({ share }: { share: number }) => onProgress?.((share * epochs) / steps, 'training the heads');
    // What lies behind the last exit is not computed: nothing of it learns.
    const front = upTo(graph, exits.toReversed());
    const trained = await train(front, { ...common, exits: exits.slice(0, -1), recipe, isFrozen, onProgress: tell });
    for (const [name, tensor] of trained.graph.constants) if (!isFrozen(name)) graph.constants.set(name, tensor);
  }
  if (jointEpochs > 0) {
    const recipe = TrainRecipe.parse({ stages: [{ name: 'joint', epochs: jointEpochs, distill }] });
    const tell = ({ share }: { share: number }) =>
      onProgress?.((epochs + share * jointEpochs) / steps, 'training the whole');
    ({ graph } = await train(graph, { ...common, exits, recipe, onProgress: tell }));
  }
  return graph;
}

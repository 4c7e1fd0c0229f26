/** Residual blocks that can be left out, and windows that can be smaller. Pure. */
import type { Graph } from '../onnx/graph.js';
import { intsAttribute, intsOf, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor } from '../onnx/tensor.js';
import { removeDead } from '../passes/remove-dead.js';
import { ancestorsOf } from '../train/walk.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** A branch that is added to what it reads: without it the sum is its input. */
export interface Block {
  /** The Add. */
  readonly sum: string;
  /** What is left when the branch goes. */
  readonly skip: string;
  /** Names of the branch's operators and of the Add. */
  readonly nodes: ReadonlySet<string>;
}

function branchOf(graph: Graph, sum: Node, skip: string, branch: string): ReadonlySet<Node> | null {
  const before = ancestorsOf(graph, [skip]);
  const inside = new Set([...ancestorsOf(graph, [branch])].filter((node) => !before.has(node)));
  const readsOnly = [...inside].every(({ inputs }) =>
    inputs.every((value) => {
      const maker = graph.producer(value);
      return value === skip || value === '' || graph.constants.has(value) || (maker && inside.has(maker));
    }),
  );
  const givesOnly = [...inside].every(({ outputs }) =>
    outputs.every(
      (value) => !graph.isOutput(value) && graph.consumers(value).every((node) => node === sum || inside.has(node)),
    ),
  );
  return inside.size > 0 && readsOnly && givesOnly ? inside : null;
}

/** @param shapes of all values */
export function findBlocks(graph: Graph, shapes: Shapes): Block[] {
  return graph.nodes.flatMap((sum): Block[] => {
    if (sum.opType !== 'Add' || sum.inputs.some((value) => graph.constants.has(value))) return [];
    if (graph.isOutput(sum.outputs[0]!)) return [];
    const [a, b] = sum.inputs as [string, string];
    if (`${shapes.get(a)}` !== `${shapes.get(b)}`) return [];
    for (const [skip, branch] of [
      [a, b],
      [b, a],
    ] as const) {
      const inside = branchOf(graph, sum, skip, branch);
      if (inside) return [{ sum: sum.name, skip, nodes: new Set([sum.name, ...[...inside].map(({ name }) => name)]) }];
    }
    return [];
  });
}

/** Leaves a block out, in place. */
export function skipBlock(graph: Graph, { sum, skip }: Block): void {
  const node = graph.nodes.find(({ name }) => name === sum);
  if (!node) return;
  graph.replaceUses(node.outputs[0]!, skip);
  removeDead.run(graph);
}

/** The window of a convolution that can lose its rim: square, odd, padded all around; or null. */
export function windowOf(graph: Graph, node: Node): number | null {
  const dims = graph.constantOf(node, 1)?.dims;
  if (node.opType !== 'Conv' || dims?.length !== 4 || node.attributes.has('auto_pad')) return null;
  const [, , height, width] = dims as [number, number, number, number];
  const pads = intsOf(node, 'pads') ?? [];
  const dilated = (intsOf(node, 'dilations') ?? []).some((step) => step !== 1);
  const fits = height === width && height >= 3 && height % 2 === 1 && pads.length === 4 && pads.every((pad) => pad > 0);
  return fits && !dilated ? height : null;
}

/** Takes the rim off a window, in place: the middle weights stay, and the padding shrinks with it. */
export function shrinkWindow(graph: Graph, node: Node): void {
  const tensor = graph.constantOf(node, 1)!;
  const [outputs, inputs, size] = tensor.dims as [number, number, number];
  const values = floatsOf(tensor)!;
  const left = size - 2;
  const middle = Float32Array.from({ length: outputs * inputs * left * left }, (_, at) => {
    const [filter, row, column] = [Math.floor(at / (left * left)), Math.floor(at / left) % left, at % left];
    return values[(filter * size + row + 1) * size + column + 1]!;
  });
  const name = `${node.inputs[1]}/middle`;
  graph.setInput(node, 1, graph.addConstant(name, floatTensor([outputs, inputs, left, left], middle)));
  graph.setAttribute(node, 'kernel_shape', intsAttribute('kernel_shape', [left, left]));
  const pads = intsOf(node, 'pads')!.map((pad) => pad - 1);
  graph.setAttribute(node, 'pads', intsAttribute('pads', pads));
}

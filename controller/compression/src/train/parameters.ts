/** Which constants of a model are learnt, and where they lie in the flat vector. */
import type { Graph } from '../onnx/graph.js';
import { elementCount, floatsOf, floatTensor, type Tensor, Type } from '../onnx/tensor.js';

export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly length: number;
  readonly initial: Float32Array;
}

/** Inputs of each operator that are learnt when they are constants. */
const LEARNT: Readonly<Record<string, readonly number[]>> = {
  ...{ Conv: [1, 2], ConvTranspose: [1, 2], Gemm: [1, 2], MatMul: [0, 1] },
  ...{ BatchNormalization: [1, 2], InstanceNormalization: [1, 2], LayerNormalization: [1, 2] },
  ...{ PRelu: [1], Add: [0, 1], Mul: [0, 1] },
  FakeQuantActivations: [1, 2],
  FakeQuantWeights: [0],
  ...{ BinaryWeights: [0], BinaryActivations: [1] },
};

/** True for weights that only choose: at most one 1 a row, zeros elsewhere, as in a shortcut that was made a Conv. */
function isSelection(values: Float32Array, rows: number): boolean {
  const size = values.length / rows;
  for (let row = 0; row < rows; row++) {
    let ones = 0;
    for (let at = row * size; at < (row + 1) * size; at++) {
      if (values[at] !== 0 && (values[at] !== 1 || ++ones > 1)) return false;
    }
  }
  return true;
}

function learnt(name: string, tensor: Tensor, isScalar: boolean): Omit<Parameter, 'offset'> | null {
  const length = elementCount(tensor.dims);
  if (tensor.type !== Type.FLOAT || (length < 2 && !isScalar)) return null;
  const initial = floatsOf(tensor)!;
  if (tensor.dims.length === 4 && isSelection(initial, tensor.dims[0]!)) return null;
  return { name, dims: tensor.dims, length, initial };
}

/** The learnt constants in the order of the nodes, each once. */
export function findParameters(graph: Graph): Omit<Parameter, 'offset'>[] {
  const found = new Map<string, Omit<Parameter, 'offset'>>();
  for (const node of graph.nodes) {
    for (const at of LEARNT[node.opType] ?? []) {
      const [name, tensor] = [node.inputs[at], graph.constantOf(node, at)];
      if (!name || !tensor || found.has(name)) continue;
      const parameter = learnt(name, tensor, node.opType === 'FakeQuantActivations');
      if (parameter) found.set(name, parameter);
    }
  }
  return [...found.values()];
}

/** Gives each its place, one behind the other. */
export function place(parameters: readonly Omit<Parameter, 'offset'>[]): Parameter[] {
  let end = 0;
  return parameters.map((parameter) => {
    const offset = end;
    end += parameter.length;
    return { ...parameter, offset };
  });
}

/** All initial values as one vector. */
export function initialVector(parameters: readonly Parameter[]): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(parameters.reduce((sum, { length }) => sum + length, 0));
  for (const { offset, initial } of parameters) vector.set(initial, offset);
  return vector;
}

/** Writes values back into the model; what is not one of its constants, such as an adapter, is left out. */
export function storeParameters(graph: Graph, parameters: readonly Parameter[], vector: Float32Array): void {
  for (const { name, dims, offset, length } of parameters) {
    if (graph.constants.has(name)) {
      graph.constants.set(name, floatTensor(dims, vector.slice(offset, offset + length)));
    }
  }
}

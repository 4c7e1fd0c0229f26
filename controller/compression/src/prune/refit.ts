/**
 * Closed-form refit: after channels have gone, each linear operator that read them gets the weights and bias with which it
 * comes nearest to what it gave before (least squares over unlabelled samples), in the order of the network, on what the
 * pruned network itself now computes. At a residual connection the sum is the target, so that an operator also makes up
 * for what the other branch has lost. No label, no training step.
 */
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor, int64Tensor } from '../onnx/tensor.js';
import { sumOver } from './accumulate.js';
import { addRidge, cholesky, solveRows } from './matrix.js';
import { hasMoments, inputRows, product, targetRows } from './moments.js';
import { weightRows } from './readers.js';

const RIDGE = 1e-4;
/** Ridge where there are as many unknowns as places: a classifier sees one place a sample. */
const RIDGE_UNDERDETERMINED = 0.1;
const TEACHER = 'teacher/';

export interface RefitOptions {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** For operators that make fewer channels than the teacher's: which of them are left. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** The student with the whole teacher beside it; both read the same inputs. */
function besideTeacher(student: Graph, teacher: Graph): Graph {
  const both = cloneGraph(student);
  const fed = new Set(teacher.inputs.map(({ name }) => name));
  const renamed = (value: string): string => (value === '' || fed.has(value) ? value : TEACHER + value);
  for (const [name, tensor] of teacher.constants) both.constants.set(TEACHER + name, tensor);
  for (const node of teacher.nodes) {
    both.add({
      ...{ opType: node.opType, domain: node.domain, name: TEACHER + node.name },
      ...{ inputs: node.inputs.map(renamed), outputs: node.outputs.map(renamed) },
      attributes: [...node.attributes.values()],
    });
  }
  return both;
}

/** True when `value` is computed from what `node` gives. */
function dependsOn(graph: Graph, value: string, node: Node, seen = new Set<string>()): boolean {
  if (seen.has(value)) return false;
  seen.add(value);
  const maker = graph.producer(value);
  return maker === node || (maker?.inputs ?? []).some((input) => input !== '' && dependsOn(graph, input, node, seen));
}

/** A value of the teacher, with the channels that the student still has. */
function ofTeacher(both: Graph, value: string, kept: readonly number[] | undefined): string {
  if (!kept) return TEACHER + value;
  const indices = both.addConstant(`${value}/kept`, int64Tensor([kept.length], kept));
  const outputs = [both.freshName(`${value}/kept`)];
  const axis = intAttribute('axis', 1);
  return both.add({ opType: 'Gather', inputs: [TEACHER + value, indices], outputs, attributes: [axis] }).outputs[0]!;
}

/** The value that the operator should give now: the teacher's, or what the teacher's sum leaves for it. */
function targetOf(both: Graph, student: Graph, node: Node, kept: readonly number[] | undefined): string {
  const output = node.outputs[0]!;
  const [sum, ...others] = student.consumers(output);
  if (sum?.opType === 'Add' && others.length === 0 && !student.isOutput(output)) {
    const other = sum.inputs.find((input) => input !== output);
    if (other && student.producer(other) && !dependsOn(student, other, node)) {
      const name = both.freshName(`${node.name}/target`);
      const wanted = ofTeacher(both, sum.outputs[0]!, kept);
      return both.add({ opType: 'Sub', inputs: [wanted, other], outputs: [name] }).outputs[0]!;
    }
  }
  return ofTeacher(both, output, kept);
}

/** Writes W [outputs, size] and b back in the operator's own layout. */
function setWeights(graph: Graph, node: Node, solution: Float64Array, outputs: number, size: number): void {
  const { dims } = graph.constantOf(node, 1)!;
  const asRows = node.opType === 'Conv' || intOf(node, 'transB', 0) === 1;
  const weights = new Float32Array(outputs * size);
  const bias = new Float32Array(outputs);
  for (let row = 0; row < outputs; row++) {
    for (let at = 0; at < size; at++)
      weights[asRows ? row * size + at : at * outputs + row] = solution[row * (size + 1) + at]!;
    bias[row] = solution[row * (size + 1) + size]!;
  }
  graph.setInput(node, 1, graph.addConstant(`${node.name}/refit`, floatTensor(dims, weights)));
  graph.setInput(node, 2, graph.addConstant(`${node.name}/refit-bias`, floatTensor([outputs], bias)));
}

/** The moments with a ridge on the weights, not on the bias; the more, the fewer places there are for an unknown. */
function withRidge(moments: Float64Array, full: number): Float64Array {
  const places = moments[full * full - 1]!;
  const ridged = addRidge(moments, full, Math.max(RIDGE, RIDGE_UNDERDETERMINED * Math.min(1, full / places)));
  ridged[full * full - 1] = places;
  return ridged;
}

/** What the operator as it stands leaves of the target: Y Xᵀ - W X Xᵀ. The ridge then pulls towards W, not to zero. */
function subtractCurrent(graph: Graph, node: Node, moments: Float64Array, wanted: Float64Array): Float64Array {
  const { weights, outputs, size } = weightRows(graph, node);
  const bias = graph.constantOf(node, 2);
  const full = size + 1;
  const current = new Float64Array(outputs * full);
  for (let row = 0; row < outputs; row++) {
    current.set(weights.subarray(row * size, (row + 1) * size), row * full);
    current[row * full + size] = bias ? floatsOf(bias)![row]! : 0;
    for (let a = 0; a < full; a++) {
      const weight = current[row * full + a]!;
      if (weight === 0) continue;
      for (let b = 0; b < full; b++) wanted[row * full + b]! -= weight * moments[a * full + b]!;
    }
  }
  return current;
}

/**
 * Refits the named operators of a pruned network, in place. Operators whose moments cannot be taken stay as they are.
 * @returns the names of the operators that were refitted
 */
export async function refit(
  student: Graph,
  teacher: Graph,
  names: ReadonlySet<string>,
  { data, feeding, kept, onProgress }: RefitOptions,
): Promise<string[]> {
  // A MatMul has no bias to refit.
  const wanted = student.nodes.filter(
    (node) => names.has(node.name) && node.opType !== 'MatMul' && hasMoments(student, node),
  );
  const done: string[] = [];
  for (const [index, node] of wanted.entries()) {
    feeding.signal?.throwIfAborted();
    const both = besideTeacher(student, teacher);
    const own = both.nodes.find(({ name }) => name === node.name)!;
    const rows = inputRows(both, own);
    const target = targetRows(both, own, targetOf(both, student, node, kept.get(node.name)));
    const [xx, yx] = [product(both, rows, rows, 'XX'), product(both, target, rows, 'YX')];
    const sums = await sumOver(both, [xx, yx], data, feeding);
    const [moments, solution] = [sums.get(xx)!, sums.get(yx)!];
    const full = Math.round(Math.sqrt(moments.length));
    const factor = cholesky(withRidge(moments, full), full);
    if (factor) {
      const current = subtractCurrent(student, node, moments, solution);
      solveRows(factor, full, solution);
      for (let at = 0; at < solution.length; at++) solution[at]! += current[at]!;
      setWeights(student, node, solution, solution.length / full, full - 1);
      done.push(node.name);
    }
    onProgress?.((index + 1) / wanted.length);
  }
  return done;
}

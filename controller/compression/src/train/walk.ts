/** The two walks over a model's nodes: forward in their order, and back over what was recorded. */
import { GradientMissing } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { inHalf } from './half.js';
import type { Term } from './objective.js';
import { RULES } from './rules/index.js';
import type { Traced } from './rules/rule.js';
import type { Ref, Tape } from './tape.js';

interface Recorded {
  readonly node: Node;
  readonly inputs: readonly Ref[];
  readonly traced: Traced;
}

/** The pass over the model's nodes that writes the forward part and remembers how to go back. */
export class Forward {
  readonly values = new Map<string, Ref>();
  readonly wanted = new Set<Ref>();
  readonly recorded: Recorded[] = [];
  readonly statistics = new Map<string, Ref>();

  constructor(
    private readonly tape: Tape,
    private readonly graph: Graph,
    private readonly batch: { readonly declared: number | null; readonly trained: number },
    private readonly isHalf = false,
  ) {}

  valueOf(name: string): Ref {
    const known = this.values.get(name);
    if (known !== undefined || name === '') return known ?? '';
    const tensor = this.graph.constants.get(name);
    if (!tensor) throw new Error(`${name} is read before it is made`);
    const put = this.tape.constant(tensor);
    this.values.set(name, put);
    return put;
  }

  visit(node: Node): void {
    const rule = node.domain === '' || node.domain === 'espalier' ? RULES.get(node.opType) : undefined;
    if (!rule) throw GradientMissing({ node: node.name, op: node.opType, why: 'its gradient is not known' });
    const inputs = node.inputs.map((name) => this.valueOf(name));
    const needs = inputs.map((input) => this.wanted.has(input));
    const traced = (this.isHalf ? inHalf(node.opType, rule) : rule)({
      ...{ tape: this.tape, node, inputs, needs, batch: this.batch },
      constant: (at) => this.graph.constantOf(node, at),
      setStatistic: (name, value) => this.statistics.set(name, value),
    });
    for (const [at, name] of node.outputs.entries()) if (traced.outputs[at]) this.values.set(name, traced.outputs[at]);
    if (!needs.some(Boolean)) return;
    for (const output of traced.outputs) this.wanted.add(output);
    this.recorded.push({ node, inputs, traced });
  }
}

/** Gradients back through what was recorded, from the terms to the parameters. */
export function backward(tape: Tape, { recorded, wanted }: Forward, terms: readonly Term[]): Map<Ref, Ref> {
  const gradients = new Map<Ref, Ref>();
  const collect = (value: Ref, gradient: Ref): void => {
    const before = gradients.get(value);
    gradients.set(value, before ? tape.add(before, gradient) : gradient);
  };
  for (const { gradients: own } of terms) for (const [value, gradient] of own) collect(value, gradient);
  for (const { inputs, traced } of [...recorded].reverse()) {
    const given = traced.outputs.map((output) => gradients.get(output) ?? null);
    if (given.every((gradient) => gradient === null)) continue;
    for (const [at, gradient] of traced.backward(given).entries()) {
      const value = inputs[at];
      if (gradient && value && wanted.has(value)) collect(value, gradient);
    }
  }
  return gradients;
}

/** The nodes that some values are computed from. */
export function ancestorsOf(graph: Graph, values: readonly string[]): Set<Node> {
  const found = new Set<Node>();
  const open = [...values];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const maker = graph.producer(value);
    if (!maker || found.has(maker)) continue;
    found.add(maker);
    open.push(...maker.inputs.filter(Boolean));
  }
  return found;
}

/** In how many bits each node's activations are, and by which parameters a value is read and made in them. */
import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { type ActivationType, qmaxOf } from './activation-tensor.js';
import { type Affine, affineOf, type Range } from './affine.js';
import { finer } from './fixed-range.js';
import type { Plan } from './plan.js';

/** Activations of nodes that 8 bits are too few for.   [ONNX Runtime, QNN execution provider: uint16] */
export const WIDE: ActivationType = 'uint16';

/**
 * The type of the activations that a node of a plan reads and makes: that of the profile, or 16 bits where the plan says
 * so. What only carries a value, or is done by its producer, keeps what made it. Pure.
 */
export function activationTypes(graph: Graph, { decisions }: Plan, narrow: ActivationType): Map<Node, ActivationType> {
  const types = new Map<Node, ActivationType>();
  for (const node of graph.nodes) {
    const decision = decisions.get(node.name);
    if (decision?.kind === 'int8') types.set(node, decision.wide === undefined ? narrow : WIDE);
    if (decision?.kind === 'carry' || decision?.kind === 'absorbed')
      types.set(node, types.get(graph.producer(node.inputs[0]!)!) ?? narrow);
  }
  return types;
}

/** Parameters of values, by the type that they are in. */
export class ActivationParams {
  private readonly ranges: Map<string, Range>;
  /** Values that are asymmetric whatever the scheme asks: what is absorbed cut one side off. */
  private readonly cut = new Set<string>();

  /** @param fixed values whose range the kernels of the profile's own type have built in */
  constructor(
    ranges: ReadonlyMap<string, Range>,
    private readonly fixed: ReadonlyMap<string, Range>,
    private readonly scheme: HardwareProfile['scheme'],
  ) {
    this.ranges = new Map(ranges);
  }

  get values(): string[] {
    return [...this.ranges.keys()];
  }

  /** Leaves of a value's range what an absorbed activation lets through. */
  clip(value: string, { min, max }: Range): void {
    const range = this.ranges.get(value)!;
    this.ranges.set(value, { min: Math.max(range.min, min), max: Math.min(range.max, max) });
    this.cut.add(value);
  }

  of(value: string, type: ActivationType): Affine {
    const { activations, symmetric } = this.scheme;
    const range = this.ranges.get(value)!;
    const isFiner = this.fixed.has(value) && qmaxOf(type) !== qmaxOf(activations);
    return affineOf(isFiner ? finer(range) : range, symmetric && !this.cut.has(value), qmaxOf(type));
  }
}

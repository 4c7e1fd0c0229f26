import { GradientMissing } from '../../errors.js';
import type { Node } from '../../onnx/node.js';
import type { Tensor } from '../../onnx/tensor.js';
import type { Ref, Tape } from '../tape.js';

export interface RuleContext {
  readonly tape: Tape;
  readonly node: Node;
  /** The node's inputs on the tape; '' where one is absent. */
  readonly inputs: readonly Ref[];
  /** True for inputs whose gradient is asked for. */
  readonly needs: readonly boolean[];
  /** Samples in a batch as the model declares them and as they are trained, where they differ. */
  readonly batch: { readonly declared: number | null; readonly trained: number };
  constant(input: number): Tensor | undefined;
  /** Notes the new value of a running statistic, such as the mean of a normalization. */
  setStatistic(name: string, value: Ref): void;
}

export interface Traced {
  readonly outputs: readonly Ref[];
  /** Gradients of the inputs from those of the outputs; null where none comes in, or none is asked for. */
  backward(gradients: readonly (Ref | null)[]): (Ref | null)[];
}

/** How an operator is trained: writes its forward pass on the tape, and returns how its gradient is written. */
export type Rule = (context: RuleContext) => Traced;

/** Ends with ESP_GRADIENT_MISSING: the operator is used in a way whose gradient is not known. */
export const refuse = ({ node }: RuleContext, why: string): never => {
  throw GradientMissing({ node: node.name, op: node.opType, why });
};

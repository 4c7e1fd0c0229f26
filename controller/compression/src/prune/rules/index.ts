/** What each operator does with channels. An operator that is not here freezes the channels that reach it. */
import { intOf, type Node } from '../../onnx/node.js';
import { acrossAxes, broadcast, carry, perChannel } from './elementwise.js';
import { conv, convTranspose, gemm, matMul } from './linear.js';
import { flatten, reshape, transpose } from './reshape.js';
import { fromStart, type Rule, type RuleContext } from './rule.js';
import { concat, gather, moveAxes, numbersFor, pad, resize, slice, split } from './shape.js';

const all = (rule: Rule, ...operators: string[]): [string, Rule][] => operators.map((operator) => [operator, rule]);
const rankOf = (c: RuleContext): number => c.shape(c.node.inputs[0]!).length;

const softmax = acrossAxes((c) => ({
  axes: [fromStart(intOf(c.node, 'axis', c.graph.opset() >= 13 ? -1 : 1), rankOf(c))],
  keepdims: true,
}));
const reduce = acrossAxes((c) => {
  const axes = numbersFor(c, 1, 'axes');
  return axes && { axes: axes.map((axis) => fromStart(axis, rankOf(c))), keepdims: intOf(c.node, 'keepdims', 1) === 1 };
});

const rules: ReadonlyMap<string, Rule> = new Map([
  ...all(carry, 'Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Elu', 'Selu', 'Celu'),
  ...all(carry, 'Softplus', 'Softsign', 'Mish', 'Gelu', 'ThresholdedRelu', 'Erf', 'Exp', 'Log', 'Sqrt', 'Abs', 'Neg'),
  ...all(carry, 'Reciprocal', 'Floor', 'Ceil', 'Round', 'Sign', 'Identity', 'Dropout', 'Cast'),
  ...all(carry, 'MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool'),
  ...all(broadcast, 'Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Sum', 'Mean', 'PRelu'),
  ...all(perChannel, 'BatchNormalization', 'InstanceNormalization'),
  ...all(softmax, 'Softmax', 'LogSoftmax'),
  ...all(reduce, 'ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceL2', 'ReduceSumSquare'),
  ['Conv', conv],
  ['ConvTranspose', convTranspose],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Concat', concat],
  ['Split', split],
  ['Slice', slice],
  ['Gather', gather],
  ['Pad', pad],
  ...all(resize, 'Resize', 'Upsample'),
  ['Squeeze', moveAxes('squeeze')],
  ['Unsqueeze', moveAxes('unsqueeze')],
  ['Reshape', reshape],
  ['Flatten', flatten],
  ['Transpose', transpose],
  // A shape is counted anew in every run, so it is true after the cut as well.
  ...all(() => undefined, 'Shape', 'Size', 'Constant', 'ConstantOfShape'),
]);

export const ruleOf = (node: Node): Rule | undefined => (node.domain === '' ? rules.get(node.opType) : undefined);

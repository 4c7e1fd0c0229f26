import { intOf } from '../../onnx/node.js';
import { type Convolution, convForward } from './conv-forward.js';
import { convInputGradient } from './conv-input-gradient.js';
import { convWeightGradient } from './conv-weight-gradient.js';
import { type Rule, type RuleContext, refuse } from './rule.js';
import { outputPadding, windowOf } from './window.js';

/** The convolution of a Conv node, or the one whose dX a ConvTranspose node is. */
function convolutionOf(context: RuleContext, x: string, w: string): Convolution {
  const { tape, node } = context;
  const [dims, weights] = [tape.shape(x), tape.shape(w)];
  const window = windowOf(context, dims, weights.slice(2));
  const groups = intOf(node, 'group', 1);
  return { tape, x, w, window, groups, batch: dims[0]!, inChannels: dims[1]!, outChannels: weights[0]! };
}

export const conv: Rule = (context) => {
  const { tape, inputs, needs } = context;
  const [x, w, b] = inputs as [string, string, string | undefined];
  const convolution = convolutionOf(context, x, w);
  return {
    outputs: [convForward(convolution, b || null)],
    backward: ([dy]) => [
      needs[0] ? convInputGradient(convolution, dy!) : null,
      needs[1] ? convWeightGradient(convolution, dy!) : null,
      b && needs[2] ? tape.sumChannels(dy!) : null,
    ],
  };
};

/**
 * A transposed convolution is the dX of a convolution that reads its output, so its own gradients are that convolution's
 * forward pass and weight gradient, with the places of image and gradient changed.
 */
export const convTranspose: Rule = (context) => {
  const { tape, node, inputs, needs } = context;
  const [x, w, b] = inputs as [string, string, string | undefined];
  const [n, , h, width] = tape.shape(x) as [number, number, number, number];
  const [, perGroup, ...kernel] = tape.shape(w) as [number, number, number, number];
  if (node.attributes.has('output_shape') || node.attributes.has('auto_pad')) refuse(context, 'its size is given');
  const channels = perGroup * intOf(node, 'group', 1);
  const extra = node.attributes.get('output_padding')?.ints.map(Number) ?? [0, 0];
  // Sizes first as if the window had been slid over an output that is still unknown.
  const probe = windowOf(context, [n, channels, h, width], kernel);
  const size = ([0, 1] as const).map((axis) => {
    const { stride, dilation, kernel: k, pads } = probe;
    const span = dilation[axis] * (k[axis] - 1) + 1;
    return ([h, width][axis]! - 1) * stride[axis] + span - pads[axis] - pads[axis + 2]! + extra[axis]!;
  });
  const window = windowOf(context, [n, channels, ...size], kernel);
  const { stride, dilation, pads } = window;
  const groups = intOf(node, 'group', 1);
  const y = tape.emit('ConvTranspose', [x, w, ...(b ? [b] : [])], [n, channels, ...size], {
    ...{ kernel_shape: window.kernel, strides: stride, dilations: dilation, pads, group: groups },
    output_padding: outputPadding(window),
  });
  const outChannels = tape.shape(w)[0]!;
  return {
    outputs: [y],
    backward: ([dy]) => {
      const reading: Convolution = { tape, x: dy!, w, window, batch: n, inChannels: channels, outChannels, groups };
      return [
        needs[0] ? convForward(reading, null) : null,
        needs[1] ? convWeightGradient(reading, x) : null,
        b && needs[2] ? tape.sumChannels(dy!) : null,
      ];
    },
  };
};

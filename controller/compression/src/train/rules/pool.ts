import { intOf, intsOf } from '../../onnx/node.js';
import { spread } from '../layout.js';
import type { Dims, Ref, Tape } from '../tape.js';
import { type Rule, type RuleContext, refuse } from './rule.js';
import { outputPadding, reach, type Window, windowOf } from './window.js';

/** Below every activation: padding that never is the largest. */
const NEVER = -3e38;

/** True where windows neither overlap nor leave anything out. */
const isTiling = ({ size, out, kernel, stride, pads, dilation }: Window): boolean =>
  [0, 1].every(
    (axis) =>
      kernel[axis] === stride[axis] &&
      dilation[axis] === 1 &&
      out[axis]! * kernel[axis]! === size[axis]! &&
      !pads[axis],
  );

const poolWindow = (context: RuleContext): Window =>
  windowOf(context, context.tape.shape(context.inputs[0]!), intsOf(context.node, 'kernel_shape') ?? []);

const attributesOf = ({ kernel, stride, pads }: Window) => ({ kernel_shape: kernel, strides: stride, pads });

export const averagePool: Rule = (context) => {
  const { tape, node, inputs } = context;
  const x = inputs[0]!;
  const window = poolWindow(context);
  const padded = window.pads.some((pad) => pad > 0);
  if (padded && intOf(node, 'count_include_pad', 0) === 0) refuse(context, 'it leaves its padding out of the mean');
  const [n, c, ...size] = tape.shape(x) as [number, number, number, number];
  const { kernel, out, stride, pads } = window;
  const attributes = { ...attributesOf(window), count_include_pad: 1 };
  return {
    outputs: [tape.emit('AveragePool', [x], [n, c, ...out], attributes)],
    backward: ([dy]) => {
      const share = tape.scale(dy!, 1 / (kernel[0] * kernel[1]));
      if (isTiling(window)) {
        const cells = [n * c, out[0], 1, out[1], 1];
        const filled = [n * c, out[0], kernel[0], out[1], kernel[1]];
        const repeated = tape.emit('Expand', [tape.reshape(share, cells), tape.ints(filled)], filled);
        return [tape.reshape(repeated, [n, c, ...size])];
      }
      const ones = tape.filled([c, 1, ...kernel], 1);
      const scattered = tape.emit('ConvTranspose', [share, ones], [n, c, ...size], {
        ...{ kernel_shape: kernel, strides: stride, pads, group: c },
        output_padding: outputPadding(window),
      });
      return [scattered];
    },
  };
};

/** The mean over all of H and W; each pixel gets its share of the gradient. */
export const globalAveragePool: Rule = ({ tape, inputs: [x] }) => {
  const dims = tape.shape(x!);
  const [n, c, ...spatial] = dims as [number, number, ...number[]];
  const area = spatial.reduce((product, size) => product * size, 1);
  return {
    outputs: [tape.emit('GlobalAveragePool', [x!], [n, c, ...spatial.map(() => 1)])],
    backward: ([dy]) => [tape.emit('Expand', [tape.scale(dy!, 1 / area), tape.ints(dims)], dims)],
  };
};

/** The mean over some axes, kept or not. */
export const reduceMean: Rule = (context) => {
  const { tape, node, inputs, constant } = context;
  const x = inputs[0]!;
  const dims = tape.shape(x);
  const given = intsOf(node, 'axes') ?? constantInts(constant, 1) ?? dims.map((_, axis) => axis);
  const axes = given.map((axis) => (axis + dims.length) % dims.length);
  const kept = dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const count = axes.reduce((product, axis) => product * dims[axis]!, 1);
  const mean = tape.emit('ReduceMean', [x], kept, { axes, keepdims: 1 });
  const isKept = intOf(node, 'keepdims', 1) === 1;
  const made = isKept
    ? mean
    : tape.reshape(
        mean,
        dims.filter((_, axis) => !axes.includes(axis)),
      );
  return {
    outputs: [made],
    backward: ([dy]) => {
      const share = tape.scale(isKept ? dy! : tape.reshape(dy!, kept), 1 / count);
      return [tape.emit('Expand', [share, tape.ints(dims)], dims), null];
    },
  };
};

export function constantInts(constant: RuleContext['constant'], input: number): number[] | null {
  const tensor = constant(input);
  return tensor ? Array.from(new BigInt64Array(new Uint8Array(tensor.bytes).buffer), Number) : null;
}

/**
 * Tap by tap: of the places of a window that hold the maximum the first takes the gradient. The kernel's own `Indices`
 * would say which, at twenty times the cost.
 */
export const maxPool: Rule = (context) => {
  const { tape, node, inputs } = context;
  const x = inputs[0]!;
  const window = poolWindow(context);
  if (node.outputs.length > 1) refuse(context, 'its indices are read');
  if (window.dilation.some((step) => step !== 1)) refuse(context, 'it is dilated');
  const [n, c] = tape.shape(x) as [number, number];
  const y = tape.emit('MaxPool', [x], [n, c, ...window.out], attributesOf(window));
  return {
    outputs: [y],
    backward: ([dy]) => {
      const parts = tapGradients(tape, x, y, dy!, window);
      return [isTiling(window) ? tiled(tape, parts, [n, c], window) : overlapped(tape, parts, window)];
    },
  };
};

interface TapGradient {
  readonly at: readonly [number, number];
  readonly gradient: Ref;
}

/** The size of x that the taps read from, at least all of it. */
const spanOf = (window: Window): [number, number] => {
  const used = reach(window);
  return [Math.max(used[0], window.pads[0] + window.size[0]), Math.max(used[1], window.pads[1] + window.size[1])];
};

function tapGradients(tape: Tape, x: Ref, y: Ref, dy: Ref, window: Window): TapGradient[] {
  const { kernel, stride, out, pads, size } = window;
  const span = spanOf(window);
  const end = [0, 0, span[0] - size[0] - pads[0], span[1] - size[1] - pads[1]];
  const padded = tape.pad(x, [0, 0, pads[0], pads[1]], end, NEVER);
  const parts: TapGradient[] = [];
  let free = tape.float(1);
  for (let row = 0; row < kernel[0]; row++) {
    for (let column = 0; column < kernel[1]; column++) {
      const last = [row + (out[0] - 1) * stride[0] + 1, column + (out[1] - 1) * stride[1] + 1];
      const tap = tape.slice(padded, [2, 3], [row, column], last, stride);
      const isLargest = tape.sub(tape.float(1), tape.step(tape.sub(y, tap)));
      const hit = tape.mul(isLargest, free);
      free = tape.sub(free, hit);
      parts.push({ at: [row, column], gradient: tape.mul(dy, hit) });
    }
  }
  return parts;
}

function tiled(tape: Tape, parts: readonly TapGradient[], [n, c]: Dims, { kernel, out, size }: Window): Ref {
  const cells = parts.map(({ gradient }) => tape.reshape(gradient, [n! * c!, out[0], 1, out[1], 1]));
  const rows = Array.from({ length: kernel[0] }, (_, row) => {
    const ofRow = cells.slice(row * kernel[1], (row + 1) * kernel[1]);
    return tape.emit('Concat', ofRow, [n! * c!, out[0], 1, out[1], kernel[1]], { axis: 4 });
  });
  const all = tape.emit('Concat', rows, [n! * c!, out[0], kernel[0], out[1], kernel[1]], { axis: 2 });
  return tape.reshape(all, [n!, c!, ...size]);
}

function overlapped(tape: Tape, parts: readonly TapGradient[], window: Window): Ref {
  const { stride, pads, size } = window;
  const span = spanOf(window);
  const whole = parts.map(({ at, gradient }) => spread(tape, gradient, span, at, stride));
  const sum = whole.reduce((total, next) => tape.add(total, next));
  const [top, left] = [pads[0], pads[1]];
  return tape.slice(sum, [2, 3], [top, left], [top + size[0], left + size[1]]);
}

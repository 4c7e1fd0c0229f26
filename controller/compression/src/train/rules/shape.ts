/** Operators that move values without changing them: the gradient is moved back. */
import { intOf, intsOf } from '../../onnx/node.js';
import { numbersOf } from '../../onnx/tensor.js';
import { spread } from '../layout.js';
import type { Dims, Ref } from '../tape.js';
import { type Rule, type RuleContext, refuse } from './rule.js';

const product = (dims: Dims): number => dims.reduce((total, size) => total * size, 1);
const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Whole numbers of a constant input; null where it is absent, refused where it is computed. */
function wholeNumbers(context: RuleContext, input: number): number[] | null {
  if (!context.inputs[input]) return null;
  const tensor = context.constant(input);
  return tensor ? numbersOf(tensor) : refuse(context, `its input ${input} is computed`);
}

/** A rule that gives the elements another shape. */
const reshaping =
  (dimsOf: (context: RuleContext, dims: Dims) => Dims): Rule =>
  (context) => {
    const { tape, inputs } = context;
    const dims = tape.shape(inputs[0]!);
    const y = tape.reshape(inputs[0]!, dimsOf(context, dims));
    return { outputs: [y], backward: ([dy]) => [tape.reshape(dy!, dims)] };
  };

export const flatten = reshaping(({ node }, dims) => {
  const axis = axisOf(intOf(node, 'axis', 1), dims.length);
  return [product(dims.slice(0, axis)), product(dims.slice(axis))];
});

/** 0 copies a size, -1 takes what is left [ONNX Reshape-13]; a written batch becomes the batch of the training. */
export const reshape = reshaping((context, dims) => {
  const written = wholeNumbers(context, 1)!;
  const { declared, trained } = context.batch;
  const sizes = written.map((size, at) => {
    if (size === 0) return dims[at]!;
    return at === 0 && size === declared ? trained : size;
  });
  const free = sizes.indexOf(-1);
  if (free >= 0) sizes[free] = product(dims) / -product(sizes);
  if (product(sizes) !== product(dims)) refuse(context, `its shape [${written}] holds for one batch size only`);
  return sizes;
});

export const squeeze = reshaping((context, dims) => {
  const { node } = context;
  const axes = intsOf(node, 'axes') ?? wholeNumbers(context, 1);
  const gone =
    axes?.map((axis) => axisOf(axis, dims.length)) ?? dims.flatMap((size, axis) => (size === 1 ? [axis] : []));
  return dims.filter((_, axis) => !gone.includes(axis));
});

export const unsqueeze = reshaping((context, dims) => {
  const axes = intsOf(context.node, 'axes') ?? wholeNumbers(context, 1)!;
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const rest = [...dims];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.shift()!));
});

export const transpose: Rule = ({ tape, node, inputs: [x] }) => {
  const perm = intsOf(node, 'perm') ?? tape.shape(x!).map((_, at, dims) => dims.length - 1 - at);
  const back = perm.map((_, axis) => perm.indexOf(axis));
  return { outputs: [tape.transpose(x!, perm)], backward: ([dy]) => [tape.transpose(dy!, back)] };
};

export const concat: Rule = ({ tape, node, inputs }) => {
  const shapes = inputs.map((input) => tape.shape(input));
  const axis = axisOf(intOf(node, 'axis', 1), shapes[0]!.length);
  const sizes = shapes.map((dims) => dims[axis]!);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const y = tape.emit('Concat', inputs, shapes[0]!.with(axis, total), { axis });
  return { outputs: [y], backward: ([dy]) => tape.emitAll('Split', [dy!, tape.ints(sizes)], shapes, { axis }) };
};

export const split: Rule = (context) => {
  const { tape, node, inputs } = context;
  const x = inputs[0]!;
  const dims = tape.shape(x);
  const axis = axisOf(intOf(node, 'axis', 0), dims.length);
  const count = node.outputs.length;
  const part = Math.ceil(dims[axis]! / count);
  const even = node.outputs.map((_, at) => Math.min(part, dims[axis]! - at * part));
  const sizes = intsOf(node, 'split') ?? wholeNumbers(context, 1) ?? even;
  const shapes = sizes.map((size) => dims.with(axis, size));
  return {
    outputs: tape.emitAll('Split', [x, tape.ints(sizes)], shapes, { axis }),
    backward: (gradients) => {
      const parts = gradients.map((gradient, at) => gradient ?? tape.filled(shapes[at]!, 0));
      return [tape.emit('Concat', parts, dims, { axis }), null];
    },
  };
};

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Ranges with the ends inside the axis [ONNX Slice-13]. */
function rangesOf(context: RuleContext, dims: Dims): Range[] {
  const starts = wholeNumbers(context, 1)!;
  const ends = wholeNumbers(context, 2)!;
  const axes = wholeNumbers(context, 3) ?? starts.map((_, axis) => axis);
  const steps = wholeNumbers(context, 4) ?? starts.map(() => 1);
  return axes.map((written, at) => {
    const axis = axisOf(written, dims.length);
    const size = dims[axis]!;
    if (steps[at]! < 1) refuse(context, 'it goes backwards');
    const inside = (place: number): number => Math.min(Math.max(place < 0 ? place + size : place, 0), size);
    return { axis, start: inside(starts[at]!), end: inside(ends[at]!), step: steps[at]! };
  });
}

export const slice: Rule = (context) => {
  const { tape, inputs } = context;
  const dims = tape.shape(inputs[0]!);
  const ranges = rangesOf(context, dims);
  const strided = ranges.filter(({ step }) => step > 1);
  if (strided.length > 0 && (dims.length !== 4 || ranges.some(({ axis }) => axis < 2))) {
    refuse(context, 'steps are known along H and W of four axes only');
  }
  const y = tape.slice(
    inputs[0]!,
    ranges.map(({ axis }) => axis),
    ranges.map(({ start }) => start),
    ranges.map(({ end }) => end),
    ranges.map(({ step }) => step),
  );
  const along = (axis: number): Range =>
    ranges.find((range) => range.axis === axis) ?? { axis, start: 0, end: dims[axis]!, step: 1 };
  const backward = (dy: Ref): Ref => {
    if (strided.length > 0) {
      const [rows, columns] = [along(2), along(3)];
      return spread(tape, dy, [dims[2]!, dims[3]!], [rows.start, columns.start], [rows.step, columns.step]);
    }
    const all = dims.map((_, axis) => along(axis));
    return tape.pad(
      dy,
      all.map(({ start }) => start),
      all.map(({ axis, end }) => dims[axis]! - end),
    );
  };
  return { outputs: [y], backward: ([dy]) => [backward(dy!), null, null, null, null] };
};

export const pad: Rule = (context) => {
  const { tape, node, inputs, constant } = context;
  const dims = tape.shape(inputs[0]!);
  const mode = new TextDecoder().decode(node.attributes.get('mode')?.s ?? new Uint8Array());
  if (mode && mode !== 'constant') refuse(context, `its mode is ${mode}`);
  if (inputs[3]) refuse(context, 'it names axes');
  const amounts = wholeNumbers(context, 1)!;
  const [begin, end] = [amounts.slice(0, dims.length), amounts.slice(dims.length)];
  const fill = inputs[2] ? constant(2) : null;
  const y = tape.pad(inputs[0]!, begin, end, fill ? numbersOf(fill)[0]! : 0);
  return {
    outputs: [y],
    backward: ([dy]) => [
      tape.slice(
        dy!,
        dims.map((_, axis) => axis),
        begin,
        dims.map((size, axis) => size + begin[axis]!),
      ),
      null,
      null,
    ],
  };
};

/** A choice of constant places along an axis; the gradient goes back by the inverse choice. */
export const gather: Rule = (context) => {
  const { tape, node, inputs } = context;
  const dims = tape.shape(inputs[0]!);
  const axis = axisOf(intOf(node, 'axis', 0), dims.length);
  const places = wholeNumbers(context, 1)!.map((place) => axisOf(place, dims[axis]!));
  if (context.constant(1)!.dims.length !== 1) refuse(context, 'its indices are no list');
  const y = tape.emit('Gather', [inputs[0]!, tape.ints(places)], dims.with(axis, places.length), { axis });
  const back = Array.from({ length: dims[axis]! }, (_, place) => places.indexOf(place));
  if (new Set(places).size !== places.length) refuse(context, 'it reads a place twice');
  return {
    outputs: [y],
    backward: ([dy]) => {
      // A place that nothing reads takes the zero that is put behind the last one.
      const zero = tape.filled(dims.with(axis, 1), 0);
      const longer = dims.with(axis, places.length + 1);
      const ended = tape.emit('Concat', [dy!, zero], longer, { axis });
      const from = back.map((place) => (place < 0 ? places.length : place));
      return [tape.emit('Gather', [ended, tape.ints(from)], dims, { axis }), null];
    },
  };
};

export const identity: Rule = ({ inputs: [x] }) => ({ outputs: [x!], backward: ([dy]) => [dy ?? null] });

import type { Graph } from '../onnx/graph.js';
import { intOf, intsOf, type Node } from '../onnx/node.js';
import { inferShapes } from '../onnx/shapes/infer.js';
import { int64Tensor } from '../onnx/tensor.js';
import { definePass, no, yes } from './pass.js';

interface Found {
  readonly pool: Node;
  readonly kernel: readonly number[];
}

/**
 * An AveragePool whose one window is smaller than its image becomes Slice and GlobalAveragePool: the mean of the same
 * elements.   [AveragePool-11, GlobalAveragePool-1]
 */
export const cropAveragePool = definePass<Found>({
  name: 'crop-average-pool',
  anchors: ['AveragePool'],
  match(graph, pool) {
    const kernel = intsOf(pool, 'kernel_shape') ?? [];
    const image = inferShapes(graph).of(pool.inputs[0]!)?.slice(2);
    if (!image || image.length !== kernel.length || image.some((size) => size === null)) {
      return no('the size of its image is not known');
    }
    const sizes = image as number[];
    if (intsOf(pool, 'pads')?.some((size) => size !== 0) || pool.attributes.has('auto_pad')) return no('it pads');
    if (intOf(pool, 'ceil_mode', 0) !== 0) return no('it may have a last window that is cut');
    const strides = intsOf(pool, 'strides') ?? kernel.map(() => 1);
    const isOnly = kernel.every((size, axis) => size <= sizes[axis]! && size + strides[axis]! > sizes[axis]!);
    if (!isOnly) return no('it has more than one window');
    return kernel.every((size, axis) => size === sizes[axis]) ? no('it covers its image') : yes({ pool, kernel });
  },
  rewrite: crop,
});

function crop(graph: Graph, { pool, kernel }: Found): void {
  const constant = (what: string, values: readonly number[]): string =>
    graph.addConstant(`${pool.name}/${what}`, int64Tensor([values.length], values));
  const cropped = graph.freshName(`${pool.name}/cropped`);
  const starts = constant(
    'starts',
    kernel.map(() => 0),
  );
  const axes = constant(
    'axes',
    kernel.map((_, axis) => axis + 2),
  );
  const inputs = [pool.inputs[0]!, starts, constant('ends', kernel), axes];
  graph.add({ opType: 'Slice', inputs, outputs: [cropped] }, pool);
  graph.add(
    { name: `${pool.name}/global`, opType: 'GlobalAveragePool', inputs: [cropped], outputs: pool.outputs },
    pool,
  );
  graph.remove(pool);
}

import type { Graph } from '../onnx/graph.js';
import { intsAttribute, intsOf, type Node } from '../onnx/node.js';
import { numbersOf } from '../onnx/tensor.js';
import { definePass, no, yes } from './pass.js';

interface Found {
  readonly pad: Node;
  readonly conv: Node;
  /** Begin of each spatial axis, then their ends. */
  readonly pads: readonly number[];
}

const attributeText = (node: Node, name: string): string =>
  new TextDecoder().decode(node.attributes.get(name)?.s ?? new Uint8Array());

/** Zeros around the image that one convolution reads become its own padding.   [Pad-13, Conv-11: pads] */
export const foldPad = definePass<Found>({
  name: 'fold-pad',
  anchors: ['Pad'],
  match(graph, pad) {
    const [conv, ...others] = graph.consumers(pad.outputs[0]!);
    if (conv?.opType !== 'Conv' || others.length > 0 || !graph.isSoleUse(pad.outputs[0]!, conv)) {
      return no('more than one convolution reads it');
    }
    if (!['', 'constant'].includes(attributeText(pad, 'mode'))) return no(`mode ${attributeText(pad, 'mode')}`);
    if (!['', 'NOTSET'].includes(attributeText(conv, 'auto_pad'))) return no('the convolution pads by a rule');
    const amounts = graph.constantOf(pad, 1);
    if (!amounts || pad.inputs[3]) return no('its pads are not a constant for all axes');
    const filler = pad.inputs[2] ? graph.constantOf(pad, 2) : null;
    if (filler === undefined || (filler && numbersOf(filler)[0] !== 0)) return no('it pads with something else than 0');
    const sizes = numbersOf(amounts);
    const rank = sizes.length / 2;
    if (sizes.some((size, axis) => size < 0 || (axis % rank < 2 && size !== 0))) return no('it pads no image, or cuts');
    const own = intsOf(conv, 'pads') ?? new Array<number>(2 * (rank - 2)).fill(0);
    const added = [...sizes.slice(2, rank), ...sizes.slice(rank + 2)];
    return yes({ pad, conv, pads: own.map((size, axis) => size + added[axis]!) });
  },
  rewrite(graph: Graph, { pad, conv, pads }) {
    graph.setAttribute(conv, 'pads', intsAttribute('pads', pads));
    graph.setInput(conv, 0, pad.inputs[0]!);
    graph.remove(pad);
  },
});

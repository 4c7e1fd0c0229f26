import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import { elementCount, floatsOf, Type } from '../tensor.js';
import { constantAt } from './constants.js';
import type { Rule } from './rule.js';

const quantizers = (graph: Graph): Node[] =>
  graph.nodes.filter(
    ({ domain, opType }) => domain === '' && (opType === 'QuantizeLinear' || opType === 'DequantizeLinear'),
  );

/** What QuantizeLinear and DequantizeLinear are given. */
export const quantizerRules: readonly Rule[] = [
  {
    name: 'a quantization scale is finite and positive',
    clause: 'QuantizeLinear-13: x / y_scale',
    *find(graph) {
      for (const node of quantizers(graph)) {
        const scales = constantAt(graph, node, 1);
        const bad = scales && floatsOf(scales)?.find((scale) => !(scale > 0 && Number.isFinite(scale)));
        if (bad !== undefined) yield { at: node.name, why: `its scale is ${bad}` };
      }
    },
  },
  {
    name: 'zero point and data have one type',
    clause: 'QuantizeLinear-13, DequantizeLinear-13: zero point and scale have one shape',
    *find(graph) {
      for (const node of quantizers(graph)) {
        const zero = constantAt(graph, node, 2);
        const data = node.opType === 'DequantizeLinear' ? constantAt(graph, node, 0) : undefined;
        if (zero && data && zero.type !== data.type) {
          yield { at: node.name, why: `${Type[data.type]} data with a ${Type[zero.type]} zero point` };
        }
        const scales = constantAt(graph, node, 1);
        if (zero && scales && elementCount(zero.dims) !== elementCount(scales.dims)) {
          yield { at: node.name, why: 'scale and zero point differ in length' };
        }
      }
    },
  },
];

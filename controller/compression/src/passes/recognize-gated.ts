/** Operators that are x times a gate of x, written out: the pattern that HardSwish and SiLU share. */
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { definePass, no, type Pass, yes } from './pass.js';
import { type Gate, gatedProduct, isClose, isClosed, replacePattern } from './pattern.js';

interface Found {
  readonly last: Node;
  readonly inner: readonly Node[];
  readonly x: string;
}

export interface GatedOperator {
  readonly name: string;
  readonly anchors: readonly string[];
  /** The operator that stands for the product, and the operator set from which it exists. */
  readonly opType: string;
  readonly opset: number;
  readonly gateOf: (graph: Graph, value: string) => Gate | null;
}

export const recognizeGated = ({ name, anchors, opType, opset, gateOf }: GatedOperator): Pass =>
  definePass<Found>({
    name,
    anchors,
    match(graph, last) {
      const found = gatedProduct(graph, last, gateOf);
      // Part of a longer product: the pattern ends further on, or is something else.
      if (!found || !isClose(found.factor, 1)) return no('');
      if (graph.opset() < opset) return no(`opset ${graph.opset()} has no ${opType}`);
      if (!isClosed(graph, found.inner, last)) return no('a part of it is read elsewhere');
      return yes({ last, ...found });
    },
    rewrite: (graph, { last, inner, x }) => replacePattern(graph, inner, last, { opType, inputs: [x] }),
  });

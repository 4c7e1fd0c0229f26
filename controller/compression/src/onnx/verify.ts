import { GraphBroken } from '../errors.js';
import type { Graph } from './graph.js';
import { capturedValues, type Node } from './node.js';
import { elementBytes, elementCount, floatsOf, Type } from './tensor.js';

/** What is wrong, and at which node or value. */
interface Finding {
  readonly at: string;
  readonly why: string;
}
interface Rule {
  readonly name: string;
  readonly find: (graph: Graph) => Iterable<Finding>;
}

const isQuantizer = (node: Node): boolean =>
  node.domain === '' && (node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear');

/** What a valid graph is. Every rule is a generator of findings, so that a graph with none is valid. */
const rules: readonly Rule[] = [
  {
    name: 'every value has one definition', // ONNX IR, "Graphs": single static assignment
    *find(graph) {
      const seen = new Set(graph.entries());
      for (const node of graph.nodes) {
        for (const output of node.outputs) {
          if (!output) continue;
          if (seen.has(output)) yield { at: node.name, why: `${output} is defined twice` };
          seen.add(output);
        }
      }
    },
  },
  {
    name: 'a value is defined before it is read', // ONNX IR, "Graphs": nodes are topologically sorted
    *find(graph) {
      const known = new Set(graph.entries());
      for (const node of graph.nodes) {
        for (const value of [...node.inputs, ...capturedValues(node)]) {
          if (value && !known.has(value)) yield { at: node.name, why: `${value} is not` };
        }
        for (const output of node.outputs) known.add(output);
      }
      for (const { name } of graph.outputs) if (!known.has(name)) yield { at: name, why: 'nothing makes this output' };
    },
  },
  {
    name: 'node names are unique',
    *find(graph) {
      const seen = new Set<string>();
      for (const { name } of graph.nodes) {
        if (seen.has(name)) yield { at: name, why: 'two nodes have this name' };
        seen.add(name);
      }
    },
  },
  {
    name: 'a constant is as long as its shape',
    *find(graph) {
      for (const [name, { type, dims, bytes }] of graph.constants) {
        const size = elementBytes(type);
        if (size !== null && bytes.length !== size * elementCount(dims)) {
          yield { at: name, why: `${bytes.length} bytes for shape [${dims.join()}]` };
        }
      }
    },
  },
  {
    name: 'every operator set is imported', // ONNX IR, "Operator Sets"
    *find(graph) {
      const local = new Set(graph.shell.functions.map((one) => one.domain));
      for (const node of graph.nodes) {
        if (graph.opset(node.domain) === 0 && !local.has(node.domain)) {
          yield { at: node.name, why: `domain "${node.domain}" of ${node.opType} is not imported` };
        }
      }
    },
  },
  {
    name: 'a quantization scale is finite and positive', // QuantizeLinear-13
    *find(graph) {
      for (const node of graph.nodes.filter(isQuantizer)) {
        const scales = graph.constantOf(node, 1);
        const bad = scales && floatsOf(scales)?.find((scale) => !(scale > 0 && Number.isFinite(scale)));
        if (bad !== undefined) yield { at: node.name, why: `its scale is ${bad}` };
      }
    },
  },
  {
    name: 'zero point and data have one type', // QuantizeLinear-13, DequantizeLinear-13
    *find(graph) {
      for (const node of graph.nodes.filter(isQuantizer)) {
        const zero = graph.constantOf(node, 2);
        const data = node.opType === 'DequantizeLinear' ? graph.constantOf(node, 0) : undefined;
        if (zero && data && zero.type !== data.type) {
          yield { at: node.name, why: `${Type[data.type]} data with a ${Type[zero.type]} zero point` };
        }
        const scales = graph.constantOf(node, 1);
        if (zero && scales && elementCount(zero.dims) !== elementCount(scales.dims)) {
          yield { at: node.name, why: 'scale and zero point differ in length' };
        }
      }
    },
  },
];

/** Checks every rule. Throws ESP_GRAPH_BROKEN, which names the pass that ran last, the rule and the place. */
export function verify(graph: Graph, pass: string): void {
  for (const rule of rules) {
    for (const { at, why } of rule.find(graph)) throw GraphBroken({ pass, rule: rule.name, at, why });
  }
}

/** Values that subgraphs capture: a rewrite must neither rename nor remove them. */
export const capturedBySubgraphs = (graph: Graph): ReadonlySet<string> => graph.captured;

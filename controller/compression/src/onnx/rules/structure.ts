import { capturedValues } from '../node.js';
import { findCycle } from '../order.js';
import { declaredShape } from '../shapes/shape.js';
import { elementCount } from '../tensor.js';
import type { Rule } from './rule.js';

/** 1 GB of float32. */
const INPUT_ELEMENTS_MAX = 2 ** 28;

/** Nodes of a cycle that an error names. */
const NAMED = 5;

/** How values, nodes and their order hang together. */
export const structureRules: readonly Rule[] = [
  {
    name: 'something is fed and something is returned',
    clause: 'our own: without an input there is nothing to calibrate, without an output nothing to compare',
    *find(graph) {
      if (graph.inputs.length === 0) yield { at: 'the graph', why: 'it has no input' };
      if (graph.outputs.length === 0) yield { at: 'the graph', why: 'it has no output' };
    },
  },
  {
    name: 'inputs and outputs have names',
    clause: 'ONNX IR, "Names Within a Graph": names are not empty',
    *find(graph) {
      if (graph.inputs.some(({ name }) => name === '')) yield { at: 'the graph', why: 'an input has none' };
      if (graph.outputs.some(({ name }) => name === '')) yield { at: 'the graph', why: 'an output has none' };
    },
  },
  {
    name: 'an input has elements, and no more than memory holds',
    clause: 'our own: a sample of none says nothing, one of more cannot be drawn, stacked or copied',
    *find(graph) {
      for (const input of graph.inputs) {
        const dims = declaredShape(input)?.map((dim) => dim ?? 1) ?? [];
        const elements = elementCount(dims);
        if (elements === 0 || elements > INPUT_ELEMENTS_MAX)
          yield { at: input.name, why: `[${dims.join()}] is ${elements} elements` };
      }
    },
  },
  {
    name: 'every value has one definition',
    clause: 'ONNX IR, "Graphs": single static assignment',
    *find(graph) {
      const seen = new Set<string>();
      for (const name of graph.entries()) {
        if (seen.has(name)) yield { at: name, why: 'inputs or constants share this name' };
        seen.add(name);
      }
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
    name: 'the graph has no cycle',
    clause: 'ONNX IR, "Graphs": a graph is acyclic',
    *find(graph) {
      const cycle = findCycle(graph.nodes, (value) => graph.producer(value));
      if (!cycle) return;
      const names = cycle.slice(0, NAMED).map(({ name }) => name);
      const more = cycle.length > NAMED ? ` and ${cycle.length - NAMED} more` : '';
      yield { at: names[0]!, why: `${names.join(', ')}${more} feed each other` };
    },
  },
  {
    name: 'a value is defined before it is read',
    clause: 'ONNX IR, "Graphs": nodes are sorted topologically; inner graphs see the names defined before their node',
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
    clause: 'ONNX IR, "Names Within a Graph"; ONNX Runtime refuses two nodes of one name',
    *find(graph) {
      const seen = new Set<string>();
      for (const { name } of graph.nodes) {
        if (seen.has(name)) yield { at: name, why: 'two nodes have this name' };
        seen.add(name);
      }
    },
  },
];

/** Latency tables, read to say what a network of other widths costs. */
import type { LatencyTable } from '@espalier/proto';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import type { CostModel } from '../prune/macs.js';
import { workOf } from './work.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Reads a table for the graphs of its model. */
export class LatencyCosts implements CostModel {
  readonly unit = 'us';
  private readonly slopes: ReadonlyMap<string, number>;
  private readonly fixedUs: number;

  constructor(
    readonly table: LatencyTable,
    whole: Graph,
    shapes: Shapes,
  ) {
    this.slopes = new Map(table.rows.map(({ node, usPerWork }) => [node, usPerWork]));
    this.fixedUs = table.anchorUs - this.moving(whole, shapes);
  }

  /** What a node contributes that changes with its width. */
  ofNode(graph: Graph, node: Node, shapes: Shapes): number {
    return (this.slopes.get(node.name) ?? 0) * workOf(graph, node, shapes);
  }

  /** Predicted latency in microseconds: the whole model's, and what the widths change about it. */
  of(graph: Graph, shapes: Shapes): number {
    return this.fixedUs + this.moving(graph, shapes);
  }

  private moving(graph: Graph, shapes: Shapes): number {
    return graph.nodes.reduce((sum, node) => sum + this.ofNode(graph, node, shapes), 0);
  }
}

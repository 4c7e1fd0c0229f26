import { clone } from '@bufbuild/protobuf';
import { ModelProtoSchema, type ValueInfoProto, ValueInfoProtoSchema } from './gen/onnx_pb.js';
import { Graph } from './graph.js';

/** A copy whose first dimension has this size wherever it could vary: compilers of NPUs take static shapes only. */
export function fixBatch(graph: Graph, batch: number): Graph {
  const names = new Set(graph.inputs.map(freeBatch).filter(Boolean));
  const fix = (info: ValueInfoProto): ValueInfoProto => {
    const fixed = clone(ValueInfoProtoSchema, info);
    if (fixed.type?.value.case !== 'tensorType') return fixed;
    for (const [axis, dim] of (fixed.type.value.value.shape?.dim ?? []).entries()) {
      const named = dim.value.case === 'dimParam' && names.has(dim.value.value);
      if (named || (axis === 0 && dim.value.case !== 'dimValue'))
        dim.value = { case: 'dimValue', value: BigInt(batch) };
    }
    return fixed;
  };
  const shell = clone(ModelProtoSchema, graph.shell);
  shell.graph!.valueInfo = shell.graph!.valueInfo.map(fix);
  return new Graph(shell, {
    nodes: graph.nodes.map((node) => ({ ...node, attributes: new Map(node.attributes) })),
    constants: new Map(graph.constants),
    inputs: graph.inputs.map(fix),
    outputs: graph.outputs.map(fix),
  });
}

/** The name of an input's first dimension, or '' when it has a size. */
function freeBatch({ type }: ValueInfoProto): string {
  const dim = type?.value.case === 'tensorType' ? type.value.value.shape?.dim[0] : undefined;
  return dim?.value.case === 'dimParam' ? dim.value.value : '';
}

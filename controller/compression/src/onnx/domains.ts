import { create } from '@bufbuild/protobuf';
import { OperatorSetIdProtoSchema } from './gen/onnx_pb.js';
import type { Graph } from './graph.js';

/** Operators of ONNX Runtime's own. */
export const MICROSOFT = 'com.microsoft';

/** Lets a graph use operators of a domain, in its first version. */
export function importDomain(graph: Graph, domain: string): void {
  if (graph.opset(domain) > 0) return;
  graph.shell.opsetImport.push(create(OperatorSetIdProtoSchema, { domain, version: 1n }));
}

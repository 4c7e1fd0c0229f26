import { create } from '@bufbuild/protobuf';
import { type AttributeProto, AttributeProtoSchema, AttributeProto_AttributeType as Kind } from './gen/onnx_pb.js';
import { intAttribute, intsAttribute } from './node.js';

/** A whole number, a list of them, or a float: JavaScript does not tell 1 from 1.0, so a float says that it is one. */
export type AttributeValue = number | readonly number[] | { readonly float: number };

export const floatAttribute = (name: string, value: number): AttributeProto =>
  create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value });

export const textAttribute = (name: string, value: string): AttributeProto =>
  create(AttributeProtoSchema, { name, type: Kind.STRING, s: new TextEncoder().encode(value) });

/** The attributes of a node, written as a record. */
export const attributesFrom = (values: Readonly<Record<string, AttributeValue>>): AttributeProto[] =>
  Object.entries(values).map(([name, value]) => {
    if (typeof value === 'number') return intAttribute(name, value);
    return 'float' in value ? floatAttribute(name, value.float) : intsAttribute(name, value);
  });

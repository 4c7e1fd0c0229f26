/** Whether a model can be sampled, and whether a sample is an input of it. Pure. */
import { classCount, type FieldSample, type SampleHeader, SampleType } from '@espalier/proto';
import type { ModelInfo } from '@espalier/proto/api';

const BYTES: Readonly<Record<SampleType, number>> = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8 };

/** Why devices cannot sample the model, a sentence; null where they can. */
export function unfitReason({ inputs, outputs }: Pick<ModelInfo, 'inputs' | 'outputs'>): string | null {
  if (classCount(outputs) === null) return 'Its first output is not one row of class scores a sample.';
  if (inputs.length !== 1) return `It has ${inputs.length} inputs; only models with one are sampled.`;
  const { type } = inputs[0]!;
  return SampleType.safeParse(type).success ? null : `Its input is of type ${type}, of which no data set can be made.`;
}

/** What is wrong with a sample as an input of the model; null: nothing. */
export function misfit({ header, values }: FieldSample, info: Pick<ModelInfo, 'inputs' | 'outputs'>): string | null {
  const reason = unfitReason(info);
  if (reason !== null) return reason;
  const { input, guess } = header;
  const [{ type, shape }] = info.inputs as [ModelInfo['inputs'][number]];
  const wanted = shape.slice(1);
  const isSame =
    wanted.length === input.shape.length &&
    wanted.every((dim, at) => typeof dim === 'string' || dim === input.shape[at]);
  if (input.type !== type || !isSame)
    return `its input is ${input.type}[${input.shape}], the model takes ${type}[${wanted}]`;
  const bytes = input.shape.reduce((size, dim) => size * dim, BYTES[input.type]);
  if (values.byteLength !== bytes) return `it has ${values.byteLength} bytes of values, ${bytes} are wanted`;
  // They would make an evaluation say nothing, and no page can show them.
  if (type === 'float32' && !(numbersOf(type, values) as Float32Array).every(Number.isFinite))
    return 'it has values that are no numbers';
  if (guess >= classCount(info.outputs)!) return `class ${guess} is none of the model`;
  return null;
}

/** The values of a sample as numbers. */
export function numbersOf(type: SampleHeader['input']['type'], values: Uint8Array): ArrayLike<number | bigint> {
  const own = new Uint8Array(values).buffer;
  switch (type) {
    case 'float32':
      return new Float32Array(own);
    case 'uint8':
      return new Uint8Array(own);
    case 'int8':
      return new Int8Array(own);
    case 'int32':
      return new Int32Array(own);
    case 'int64':
      return new BigInt64Array(own);
  }
}

/** Names of the classes; their numbers where the model has no labels. Empty for what is no classifier. */
export function classNames({
  info,
  labels,
}: {
  info: Pick<ModelInfo, 'outputs'>;
  labels: readonly string[] | null;
}): string[] {
  const width = classCount(info.outputs) ?? 0;
  return Array.from({ length: width }, (_, at) => labels?.[at] ?? `class ${at}`);
}

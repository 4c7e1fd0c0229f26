/** Quantizes a tiny graph on a few samples, as the int8 recipe does after its preparation. */
import type { Dataset } from '@espalier/compression/data/content';
import type { Batch } from '@espalier/compression/data/feeds';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import type { Tensor } from '@espalier/compression/onnx/tensor';
import { preparation, runPasses } from '@espalier/compression/passes/index';
import { SqnrMeter } from '@espalier/compression/quantize/meter';
import { type Quantized, quantize, type Refine } from '@espalier/compression/quantize/quantize';
import type { CalibrationOptions } from '@espalier/compression/quantize/samples';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { run } from './tiny.ts';

const profiles = await loadProfiles();

const asFloats = ({ bytes }: Tensor): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);

/** Samples as batches of one. */
export const batchesOf = (samples: readonly Record<string, Tensor>[]): Batch[] =>
  samples.map((sample, start) => ({
    feeds: Object.fromEntries(
      Object.entries(sample).map(([name, tensor]) => [
        name,
        new OrtTensor('float32', asFloats(tensor), [...tensor.dims]),
      ]),
    ),
    labels: null,
    size: 1,
    start,
  }));

/** Samples, one input tensor each, as a data set without labels. */
const dataOf = (samples: readonly Record<string, Tensor>[]): Dataset => ({
  spec: 'test',
  n: samples.length,
  labelled: false,
  classes: null,
  sampleShape: [],
  labels: null,
  read: async (at) => ({
    kind: 'inputs',
    inputs: Object.fromEntries(Object.entries(samples[at]!).map(([name, tensor]) => [name, asFloats(tensor)])),
  }),
});

export async function quantizeTiny(
  graph: Graph,
  samples: readonly Record<string, Tensor>[],
  profileId = 'x64-avx512-vnni',
  more: Partial<CalibrationOptions> = {},
  refine: Refine | null = null,
): Promise<Quantized & { prepared: Graph }> {
  const prepared = cloneGraph(graph);
  runPasses(prepared, preparation);
  const inputs = graph.inputs.map(({ name }) => ({
    name,
    type: 'float32',
    shape: ['N', ...samples[0]![name]!.dims.slice(1)],
  }));
  const feeding = { inputs, preprocess: null, batchSize: 4, seed: 1 };
  const options = { data: dataOf(samples), feeding, ...more };
  const quantized = await quantize(prepared, profileById(profileId, profiles), options, refine);
  if (!quantized) throw new Error('nothing was quantized');
  return { ...quantized, prepared };
}

/** SQNR in dB of every output, float against int8, over the samples. */
export async function decibels(
  float: Graph,
  int8: Graph,
  samples: readonly Record<string, Tensor>[],
  level: 'all' | 'disabled' = 'all',
): Promise<Record<string, number>> {
  const meter = new SqnrMeter();
  for (const sample of samples) {
    const expected = await run(float, sample, level);
    const found = await run(int8, sample, level);
    for (const [name, values] of Object.entries(expected)) meter.add(name, values, found[name]!);
  }
  return meter.values();
}

/** Observes channels and histograms over as many samples as its argument says, and prints its peak memory in MB. */
import { observeChannels, observeHistograms } from '@espalier/compression/quantize/calibrate';
import { Tensor } from 'onnxruntime-node';
import { noise, tinyGraph } from './tiny.ts';

const values = Array.from({ length: 12 }, (_, at) => `v${at}`);
const graph = tinyGraph({
  inputs: { v0: ['N', 8, 256, 256] },
  outputs: [values.at(-1)!],
  nodes: values.slice(1).map((value, at) => [at % 2 === 0 ? 'Sigmoid' : 'Tanh', [values[at]!], [value]]),
});
const { bytes } = noise([1, 8, 256, 256], 1);
const image = new Tensor('float32', new Float32Array(new Uint8Array(bytes).buffer), [1, 8, 256, 256]);
const samples = Array.from({ length: Number(process.argv[2]) }, (_, start) => ({
  ...{ feeds: { v0: image }, labels: null, size: 1, start },
}));
const figures = await observeChannels(graph, values, samples);
await observeHistograms(graph, figures, samples);
process.stdout.write(String(process.resourceUsage().maxRSS / 1024));

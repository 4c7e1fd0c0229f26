/** `bench --runtime`: what is missing is named, and nothing is measured in its place. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { benchRuntimes, refuseXnnpack } from '@espalier/agent/measure/bench/runtimes';
import t from 'tap';

t.test('a network without a file for LiteRT, and a device without LiteRT, are refused', async (t) => {
  const folder = t.testdir();
  const onnx = path.join(folder, 'm.onnx');
  await t.rejects(benchRuntimes(onnx, 1), { code: 'ESP_BENCH_REFUSED', message: /there is no .*m\.tflite/ });
  process.env.ESPALIER_LITERT = folder;
  writeFileSync(path.join(folder, 'm.tflite'), 'none');
  await t.rejects(benchRuntimes(onnx, 1), { code: 'ESP_RUNTIME_UNAVAILABLE', message: /libLiteRt\.so is not there/ });
});

t.test('XNNPACK says which providers there are', async (t) => {
  await t.rejects(refuseXnnpack(), {
    code: 'ESP_RUNTIME_UNAVAILABLE',
    message: /onnxruntime-node .* provider \(it lists cpu/,
  });
});

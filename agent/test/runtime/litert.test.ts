/** A .tflite model on a device with and without LiteRT; the library itself is optional and tried only where it is. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { cpuLacks, findLiteRt } from '@espalier/agent/runtime/litert/library';
import { ModelWorker } from '@espalier/agent/runtime/model-worker';
import { SessionOptions } from '@espalier/proto';
import t from 'tap';

t.test('a CPU without dot product is told apart, on every core', async (t) => {
  const core = (features: string): string => `processor : 0\nFeatures\t: fp asimd ${features}\n`;
  t.equal(cpuLacks('arm64', core('asimddp') + core('asimddp')), null);
  t.equal(cpuLacks('arm64', core('asimddp') + core('crc32')), 'the CPU lacks dot product');
  t.equal(cpuLacks('arm64', ''), 'the CPU lacks dot product');
  t.equal(cpuLacks('x64', ''), null);
  t.match(cpuLacks('ia32', ''), 'no library');
});

t.test('a library that is missing or another one is named, and never loaded', async (t) => {
  const folder = t.testdir();
  t.throws(() => findLiteRt(folder, 'x64'), { code: 'ESP_RUNTIME_UNAVAILABLE', message: /libLiteRt\.so is not there/ });
  writeFileSync(path.join(folder, 'libLiteRt.so'), 'another');
  t.throws(() => findLiteRt(folder, 'x64'), { code: 'ESP_RUNTIME_UNAVAILABLE', message: /is not the library of/ });
});

t.test('the error crosses the thread that opens the model', async (t) => {
  process.env.ESPALIER_LITERT = t.testdir();
  const file = path.join(t.testdir(), 'm.tflite');
  await t.rejects(ModelWorker.open(file, SessionOptions.parse({})), { code: 'ESP_RUNTIME_UNAVAILABLE' });
  await t.rejects(ModelWorker.open('m.engine', SessionOptions.parse({})), {
    code: 'ESP_RUNTIME_UNAVAILABLE',
    message: /TensorRT cannot be used/,
  });
});

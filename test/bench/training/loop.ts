/** The build of the closed loop: pruned, refitted, distilled and int8, against int8 alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, readPreprocess } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { measurePair } from '@espalier/compression/recipe/latency';
import { Session } from '@espalier/compression/runtime/session';
import { type Bench, profile, rounded, SEED } from './row.ts';
import { cifarSpec } from './subject.ts';

const MODEL = 'mobilenetv2-96-cifar10';
const SAMPLES = 30_000;
const MINUTES = 40;

const prunedBeatsInt8: Bench = {
  id: 'pruned-beats-int8',
  long: true,
  async measure(data) {
    const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
    const preprocess = await readPreprocess(path.join(data, 'preprocess', `${MODEL}.json`));
    const evaluate = `cifar10:${data}/cifar10/test_5k.bin.gz`;
    let told = '';
    const build = (recipe: 'int8' | 'pruned-int8') =>
      buildVariant({
        ...{ modelPath: path.join(data, 'models', `${MODEL}.onnx`), modelName: MODEL, profile, recipe, preprocess },
        ...{ maxDrop: 1, minutes: MINUTES, outDir: path.join(outDir, recipe), evaluate, seed: SEED },
        calibrate: cifarSpec(data, recipe === 'int8' ? 512 : SAMPLES),
        onProgress: ({ message, fraction }) => {
          const text = `  ${recipe} ${Math.round(20 * fraction) * 5} %${message ? `, ${message}` : ''}\n`;
          if (text !== told) process.stderr.write(text);
          told = text;
        },
      });
    try {
      const int8 = await build('int8');
      const pruned = await build('pruned-int8');
      const open = (recipe: string) => Session.open(path.join(outDir, recipe, 'model.onnx'), recipe, profile.session);
      const [slow, fast] = [await open('int8'), await open('pruned-int8')];
      const feeding = { inputs: slow.inputs, preprocess, batchSize: 1, seed: SEED };
      const feeds = (await firstFeeds(await openDataset(cifarSpec(data, 1)), feeding, 1))!;
      const { float: before, variant: after } = await measurePair(slow, fast, feeds);
      const [full, narrow] = [int8.report.variant.top1!, pruned.report.variant.top1!];
      const speedup = before.p50Us / after.p50Us;
      return [
        {
          ...{
            id: this.id,
            value: full - narrow <= 0.5 ? rounded(speedup) : 0,
            unit: 'x faster than int8',
            seed: SEED,
          },
          ...{ reference: 'Python probe 1.37 at -0.24 points after 4 epochs', n: pruned.report.data!.n },
          note: `${rounded(speedup)}x at ${rounded(narrow)} % against ${rounded(full)} %; ${pruned.report.notes.join(' ')}`,
        },
      ];
    } finally {
      rmSync(outDir, { recursive: true, force: true });
    }
  },
};

export const loop: readonly Bench[] = [prunedBeatsInt8];

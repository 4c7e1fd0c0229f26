/** The build of the closed loop: pruned, refitted, distilled and int8, against int8 alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, readPreprocess } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { writeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { pruneTo } from '@espalier/compression/prune/prune';
import { measurePair } from '@espalier/compression/recipe/latency';
import { Session } from '@espalier/compression/runtime/session';
import { loadRecipe } from '@espalier/compression/train/load-recipe';
import { type Bench, profile, rounded, SEED } from './row.ts';
import { cifarSpec, Subject } from './subject.ts';

const MODEL = 'mobilenetv2-96-cifar10';
const SAMPLES = 30_000;
const EPOCHS = 4;
/** The reference cut 41%; the whole network's int8 is more accurate here, and 35% still leaves speed to spare. */
const MACS = 0.65;

/** Cut, refitted and distilled from the whole network. */
async function narrowed(subject: Subject): Promise<Graph> {
  const prunable = await subject.ordered('obs');
  const { graph } = await pruneTo(prunable, { target: { macs: MACS }, refit: true });
  const recipe = await loadRecipe('distill');
  const [stage] = recipe.stages;
  return (await subject.train(graph, { ...recipe, stages: [{ ...stage, epochs: EPOCHS }] }, SAMPLES, subject.prepared))
    .graph;
}

const prunedBeatsInt8: Bench = {
  id: 'pruned-beats-int8',
  long: true,
  async measure(data) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
    const subject = await Subject.open(data, MODEL);
    const preprocess = await readPreprocess(path.join(data, 'preprocess', `${MODEL}.json`));
    const build = (name: string, modelPath: string) =>
      buildVariant({
        ...{
          modelPath,
          modelName: name,
          profile,
          recipe: 'int8',
          preprocess,
          outDir: path.join(folder, name),
          seed: SEED,
        },
        ...{ calibrate: cifarSpec(data, 200), evaluate: `cifar10:${data}/cifar10/test_5k.bin.gz` },
      });
    try {
      const file = path.join(folder, 'narrow.onnx');
      const started = performance.now();
      await writeModel(await narrowed(subject), file);
      const minutes = (performance.now() - started) / 60_000;
      const int8 = await build('whole', path.join(data, 'models', `${MODEL}.onnx`));
      const pruned = await build('pruned', file);
      const open = (name: string) => Session.open(path.join(folder, name, 'model.onnx'), name, profile.session);
      const [slow, fast] = [await open('whole'), await open('pruned')];
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
          note:
            `${rounded(speedup)}x, int8 ${rounded(narrow)} % against ${rounded(full)} % of the whole network; float ` +
            `${rounded(pruned.report.float.top1!)} % against ${rounded(int8.report.float.top1!)} %; ${rounded(minutes)} minutes`,
        },
      ];
    } finally {
      await subject.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

export const loop: readonly Bench[] = [prunedBeatsInt8];

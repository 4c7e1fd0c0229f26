/** Pruning in steps on the sample, and the order of the remedies. */
import { inspectModel } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { readChecked } from '@espalier/compression/inspect';
import { orderPruning } from '@espalier/compression/prune/prunable';
import { pruneTo } from '@espalier/compression/prune/prune';
import { nextRemedy, nextShare, type StepSettings } from '@espalier/compression/prune/remedies';
import { uniformWidth } from '@espalier/compression/prune/widths';
import { prepare } from '@espalier/compression/recipe/prepare';
import { type ProgressiveOptions, pruneProgressively } from '@espalier/compression/recipe/progressive';
import { Session } from '@espalier/compression/runtime/session';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import { judgeStanding } from '@espalier/compression/train/standing';
import t from 'tap';
import { sample } from '../support/sample.ts';

const PLAIN: StepSettings = { step: 0.1, epochs: 1, distils: false };

t.test('remedies come one after the other and stay', (t) => {
  const tried: string[] = [];
  let settings = PLAIN;
  for (let next = nextRemedy(settings); next; next = nextRemedy(settings)) {
    tried.push(next.name);
    settings = next.settings;
  }
  t.same(tried, ['trained 3 times as long', 'steps of 5 %', 'distilled from the whole network']);
  t.same(settings, { step: 0.05, epochs: 3, distils: true });
  t.equal(nextShare(0.2, PLAIN, 0.5), 0.3);
  t.equal(nextShare(0.45, PLAIN, 0.5), 0.5, 'the last step ends at the target');
  t.end();
});

t.test('a network that only guesses is told from one that knows a little', (t) => {
  const labels = Int32Array.from({ length: 200 }, (_, at) => at % 10);
  t.ok(judgeStanding(12, labels).isGuessing);
  t.notOk(judgeStanding(25, labels).isGuessing);
  const lopsided = Int32Array.from({ length: 200 }, (_, at) => (at < 180 ? 0 : 1));
  t.ok(judgeStanding(88, lopsided).isGuessing, 'always naming the frequent class is guessing too');
  t.end();
});

const { preprocess } = await inspectModel(sample.model);
const session = await Session.open(sample.model, 'the sample');
t.teardown(() => session.dispose());
const data = await openDataset(sample.calibrate);
const feeding = { inputs: session.inputs, preprocess, batchSize: 10, seed: 1, limit: 64 };
const { graph } = await prepare(await readChecked(sample.model), data, feeding);
const alignment = { inputChannels: 1, outputChannels: 1, depthwiseChannels: 1 };
const options: ProgressiveOptions = {
  ...{ importance: 'l1', alignment, tied: false, seed: 1, refit: false, target: { ratio: 0.3 }, step: 0.15 },
  ...{ maxDrop: 100, calibration: data, data, feeding },
  recipe: TrainRecipe.parse({ stages: [{ epochs: 1, batch: 32 }] }),
};

t.test('steps lead to the target, each trained and judged', async (t) => {
  const { pruned, removed, steps } = await pruneProgressively(graph, options);
  t.equal(removed, 0.3);
  t.same(
    steps.map((step) => [step.removed, step.isKept]),
    [
      [0.15, true],
      [0.3, true],
    ],
  );
  for (const { before, after } of pruned!.widths) t.equal(after, uniformWidth(before, 1, 0.7));
});

t.test('a step that loses too much is tried with every remedy, and nothing worse is kept', async (t) => {
  const { pruned, steps } = await pruneProgressively(graph, { ...options, maxDrop: -1000 });
  t.equal(pruned, null);
  t.same(
    steps.map(({ remedy }) => remedy),
    [null, 'trained 3 times as long', 'steps of 5 %', 'distilled from the whole network'],
  );
  t.equal(steps.at(-1)!.removed, 0.05, 'from the beginning, in small steps');
});

t.test('data that the network only guesses on are refused', async (t) => {
  const turned = { ...data, labels: data.labels!.map((label) => 1 - label) };
  await t.rejects(pruneProgressively(graph, { ...options, data: turned }), { code: 'ESP_DATA_UNFIT' });
});

t.test('a global share takes channels where they cost least', async (t) => {
  const subject = await orderPruning(graph, { ...options, data, feeding });
  const { widths } = await pruneTo(subject, { target: { ratio: 0.3, global: true }, refit: false });
  const kept = widths.reduce((sum, { after }) => sum + after, 0) / widths.reduce((sum, { before }) => sum + before, 0);
  t.ok(Math.abs(kept - 0.7) < 0.05, `${kept} kept`);
  const shares = widths.map(({ before, after }) => after / before);
  t.ok(Math.max(...shares) - Math.min(...shares) > 0.1, 'not the same share of every group');
});

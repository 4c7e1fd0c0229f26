/** The loop with its real parts on this machine: controller, jobs, agent. Loads of others make it slower. */
import os from 'node:os';
import path from 'node:path';
import type { OutlookView, TableView } from '@espalier/proto/api';
import { root, until } from '../../support/process.ts';
import { type Lab, measuredP95, openLab, type Subject, storyOf, variantsOf } from './lab.ts';
import { type LoopBench, type Row, rounded } from './row.ts';

const MODEL = 'mobilenetv2-96-cifar10';
const MINUTE_MS = 60_000;
const ENDS = ['promoted', 'rolled-back', 'rejected', 'offered', 'nothing-left'];

const subject = (data: string, calibration: string): Subject => ({
  ...{ file: path.join(data, 'models', `${MODEL}.onnx`), preprocess: path.join(data, 'preprocess', `${MODEL}.json`) },
  calibrate: calibration,
  evaluate: `cifar10:${data}/cifar10/test_5k.bin.gz`,
});
const images = (data: string, part: string): string => `cifar10:${data}/cifar10/${part}.bin.gz`;
const load = (): string => `load average ${os.loadavg()[0]!.toFixed(1)} on ${os.availableParallelism()} cores`;

async function within<T>(lab: Promise<Lab>, use: (lab: Lab) => Promise<T>): Promise<T> {
  const opened = await lab;
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** What the loop waits for, on stderr, when it is another thing than before. */
function teller(lab: Lab): () => Promise<void> {
  let told = '';
  return async () => {
    const [now] = await lab.call<OutlookView[]>('GET', `/decisions/now?modelId=${lab.model.id}`);
    const text = now ? `${now.kind}: ${now.reason}` : 'nothing serves';
    if (text !== told) process.stderr.write(`  ${text}\n`);
    told = text;
  };
}

/** From a budget that float misses to the end that the loop comes to. */
async function follow(lab: Lab, share: number, drop: number, recipe: string, limitMs: number) {
  const floatUs = await measuredP95(lab);
  const budget = { p95Us: Math.round(floatUs * share), maxAccuracyDrop: drop, maxSizeBytes: null };
  const started = performance.now();
  await lab.call('PATCH', `/models/${lab.model.id}`, { budget, autoOptimize: true });
  const tell = teller(lab);
  const end = await until(
    `the loop comes to an end with ${recipe}`,
    async () => {
      await tell();
      const story = await storyOf(lab);
      const last = story.findLast((one) => one.recipe === recipe && ENDS.includes(one.action));
      return last ?? story.findLast(({ action }) => action === 'nothing-left') ?? null;
    },
    limitMs,
  );
  const minutes = (performance.now() - started) / MINUTE_MS;
  const story = (await storyOf(lab)).map(({ action, recipe: of }) => `${action}${of ? ` ${of}` : ''}`).join(', ');
  return { minutes, end, note: `${story}: ${end.reason}; ${load()}` };
}

/** A budget that the loop did not bring to a promotion is no time: 0 with the reason. */
const row = (id: string, bar: string, n: number, { minutes, end, note }: Awaited<ReturnType<typeof follow>>): Row => ({
  ...{ id, unit: 'min', bar, n, seed: 1, note },
  value: end.action === 'promoted' ? rounded(minutes) : 0,
});

export const budgetMissed: LoopBench = {
  ids: ['int8-minutes'],
  needsData: true,
  measure: (data) =>
    within(openLab(subject(data, `${images(data, 'train_10k')}?to=512`)), async (lab) => [
      row('int8-minutes', '<= 15', 1, await follow(lab, 0.8, 1.5, 'int8', 30 * MINUTE_MS)),
    ]),
};

/** What the pruned build gained over int8 alone: each was timed beside float in its proof. */
async function gained(lab: Lab): Promise<Row> {
  const variants = await variantsOf(lab);
  const [int8, pruned] = ['int8', 'pruned-int8'].map((recipe) =>
    variants.find((one) => one.method === recipe && one.state === 'ready'),
  );
  const common = { id: 'gain', unit: 'x faster than int8', bar: '>= 1.3 at <= 0.5 points', seed: 1 };
  if (!int8?.proofSpeedup || !pruned?.proofSpeedup) return { ...common, value: 0, n: 0, note: 'no such build' };
  const speedup = pruned.proofSpeedup / int8.proofSpeedup;
  const drop = int8.top1! - pruned.top1!;
  return {
    ...{ ...common, value: drop <= 0.5 ? rounded(speedup) : 0, n: pruned.n ?? 0 },
    note:
      `${rounded(speedup)}x at ${rounded(drop)} points below int8's ${rounded(int8.top1!)} %; one device: ` +
      `${pruned.trialUs ?? '-'} us, predicted ${pruned.predictedUs ?? '-'} us; ${load()}`,
  };
}

/** Thirty thousand labelled images: what the loop distils on. */
const thirtyThousand = (data: string): string =>
  `cifar10:${['train_10k', 'train_20k_more'].map((part) => `${data}/cifar10/${part}.bin.gz`).join(',')}`;

export const pruned: LoopBench = {
  ids: ['prune-minutes', 'gain'],
  long: true,
  needsData: true,
  measure: (data) =>
    within(openLab(subject(data, thirtyThousand(data))), async (lab) => [
      row('prune-minutes', '<= 60', 1, await follow(lab, 0.4, 2, 'pruned-int8', 120 * MINUTE_MS)),
      await gained(lab),
    ]),
};

const SAMPLE = path.join(root, 'deploy', 'sample');
const idx = (part: string): string =>
  `idx:${SAMPLE}/${part}-subset-images-idx3-ubyte.gz,${SAMPLE}/${part}-subset-labels-idx1-ubyte.gz`;

/** The whole ladder on the sample that every checkout has: int8 misses, a table is measured, its build is tried. */
export const ladder: LoopBench = {
  ids: ['ladder-minutes'],
  measure: () =>
    within(
      openLab({
        ...{ file: path.join(SAMPLE, 'fashion-ds.onnx'), preprocess: path.join(SAMPLE, 'fashion-ds.preprocess.json') },
        ...{ calibrate: `${idx('train')}?to=900`, evaluate: idx('test') },
      }),
      async (lab) => [row('ladder-minutes', 'none', 1, await follow(lab, 0.5, 6, 'pruned-int8', 20 * MINUTE_MS))],
    ),
};

export const table: LoopBench = {
  ids: ['table-minutes'],
  needsData: true,
  measure: (data) =>
    within(openLab(subject(data, `${images(data, 'train_10k')}?to=512`)), async (lab) => {
      const route = `/models/${lab.model.id}/tables`;
      await lab.call('POST', route, { profile: lab.profile });
      const done = await until(
        'the device measured a table',
        async () => {
          const [view] = await lab.call<TableView[]>('GET', route);
          if (view?.state === 'failed') throw new Error(view.reason ?? 'no table');
          return view?.state === 'measured' ? view : null;
        },
        30 * MINUTE_MS,
      );
      const moving = done.table!.rows.filter(({ usPerWork }) => usPerWork > 0).length;
      const note = `${done.table!.rows.length} operators, ${moving} of them change with the width; ${load()}`;
      const value = rounded((done.deviceSeconds ?? 0) / 60);
      return [{ id: 'table-minutes', value, unit: 'device min', bar: '<= 3', n: 1, seed: 1, note }];
    }),
};

/**
 * LiteRT beside ONNX Runtime, with its library where that is installed: the choice, its processes killed under load, a build
 * whose golden cases it does not answer. Skipped without the library, which is no dependency of ours.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AgentConfig } from '@espalier/agent/config';
import { readFacts } from '@espalier/agent/hardware/facts';
import { Measurer } from '@espalier/agent/measure/measurer';
import { DEFAULT_FOLDER, liteRtVersion } from '@espalier/agent/runtime/litert/library';
import { ModelPool } from '@espalier/agent/runtime/model-pool';
import { toRaw } from '@espalier/agent/runtime/values';
import { modelStatistics } from '@espalier/agent/serve/describe';
import { makeMetrics } from '@espalier/agent/serve/metrics';
import { Serving } from '@espalier/agent/serve/serving';
import { makeTuner, poolSettings } from '@espalier/agent/serve/settings';
import type { Alternative } from '@espalier/proto';
import t from 'tap';
import { buildTwoFiles, writeSlot } from '../support/two-files.ts';

const skip =
  liteRtVersion() === null &&
  `LiteRT is not in ${DEFAULT_FOLDER}; name a folder with libLiteRt.so and node_modules/koffi by ESPALIER_LITERT`;
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-litert-test-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const settings = poolSettings(AgentConfig.parse({}));

interface Told {
  readonly code?: string;
  readonly error?: string;
}

/** An agent's serving part with its tuner, and what they log as warnings. */
function open(plans: string, tuneLimitS: number) {
  const told: Told[] = [];
  const log = { debug() {}, info() {}, error() {}, warn: (what: Told) => void told.push(what) };
  const config = AgentConfig.parse({ tuneLimitS });
  const tuner = makeTuner(config, path.join(scratch, plans), readFacts().cpu, log as never);
  return { told, tuner, serving: new Serving(settings, tuner, { log: log as never }) };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** True when something is so within ten seconds. */
async function until(isSo: () => boolean): Promise<boolean> {
  for (let at = 0; at < 500 && !isSo(); at++) await pause(20);
  return isSo();
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Living processes of ours in which LiteRT runs. */
const children = (): number[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && textOf(`/proc/${pid}/cmdline`).includes('litert/child.js'))
    .filter((pid) => new RegExp(`\\) [^Z] ${process.pid} `).test(textOf(`/proc/${pid}/stat`)))
    .map(Number);

/** A build in a slot of its own; made once. */
const built = skip === false ? await buildTwoFiles(path.join(scratch, 'build')) : null;
function slotWith(name: string, change: Partial<Alternative> = {}): string {
  const slot = path.join(scratch, name);
  writeSlot(slot, built!, change);
  return slot;
}

const image = (rows: number) =>
  toRaw({
    image: {
      ...{ type: 'float32', shape: [rows, 1, 28, 28] },
      data: Float32Array.from({ length: rows * 784 }, (_, at) => Math.sin(at * (1 + Math.floor(at / 784)))),
    },
  });

const numbers = (outputs: Readonly<Record<string, { readonly bytes: Uint8Array }>>): Float32Array =>
  new Float32Array(Uint8Array.from(Object.values(outputs)[0]!.bytes).buffer);

const litertPlan = {
  ...{ workers: 1, threads: 1, spin: false, runtime: 'litert', curve: [[1, 0.2]] as const },
  otherwise: { workers: 1, threads: 1, spin: false, curve: [[1, 0.3]] as const },
};

t.test('both runtimes are measured, and what is chosen serves, is told and is found again', { skip }, async (t) => {
  const slot = slotWith('chosen');
  const { serving, tuner, told } = open('plans', 2);
  const { pool } = await serving.swapToSlot(slot);
  t.equal(pool.runtime.adapter, 'onnxruntime', 'until it was measured');
  await tuner.settled();
  const { compared = {}, runtime = 'onnxruntime', otherwise } = pool.plan!;
  t.strictSame(Object.keys(compared).sort(), ['litert', 'onnxruntime']);
  t.comment(`milliseconds of one row alone: ${JSON.stringify(compared)}`);
  if (runtime === 'litert') t.ok(otherwise, 'a way back is kept');
  t.equal(pool.runtime.adapter, runtime);
  t.match(modelStatistics(serving.served!).scheduling, { runtime: pool.runtime, plan: { compared } });
  t.strictSame(told, [], 'nothing was refused');
  await serving.close();
  const again = open('plans', 0);
  const reopened = (await again.serving.swapToSlot(slot)).pool;
  t.strictSame(reopened.plan, pool.plan);
  t.equal(reopened.runtime.adapter, runtime);
  await again.serving.close();
});

t.test(
  'LiteRT killed under load: every request is answered, once it is opened again, then ONNX Runtime serves',
  { skip },
  async (t) => {
    const slot = slotWith('killed');
    const { serving, told } = open('killed-plans', 0);
    const { pool } = await serving.swapToSlot(slot);
    const before = numbers((await serving.infer(serving.served!, image(3))).outputs);
    await pool.adopt(litertPlan);
    t.match(pool.runtime, { adapter: 'litert' });
    const rows = await serving.infer(serving.served!, image(3));
    const after = numbers(rows.outputs);
    t.equal(after.length, before.length, 'rows of one request are run one after another');
    t.ok(
      before.every((value, at) => Math.abs(value - after[at]!) < 0.5),
      'and answered as before',
    );
    const parts = { serving, slotOf: () => slot, report: () => undefined, now: Date.now, soc: null };
    const served = { adapter: 'litert', version: liteRtVersion() };
    t.match(
      new Measurer(parts).takeLive(Date.now()),
      { n: Number, runtime: served },
      'reports say which runtime served',
    );
    t.match(
      await makeMetrics(serving, () => 0).text(),
      `espalier_runtime{adapter="litert",version="${served.version}"} 1`,
    );

    let isOver = false;
    const answers: string[] = [];
    const clients = Array.from({ length: 8 }, async () => {
      while (!isOver)
        answers.push(
          await serving.infer(serving.served!, image(1)).then(
            ({ release }) => {
              release();
              return 'answered';
            },
            (error: { code?: string }) => error.code ?? String(error),
          ),
        );
    });
    await pause(300);
    const [first] = children();
    process.kill(first!, 'SIGKILL');
    t.ok(await until(() => children().some((pid) => pid !== first)), 'another process takes its place');
    t.match(pool.runtime, { adapter: 'litert' });
    const soFar = answers.length;
    t.ok(await until(() => answers.slice(soFar).includes('answered')), 'and answers');
    process.kill(children()[0]!, 'SIGKILL');
    t.ok(await until(() => pool.runtime.adapter === 'onnxruntime'), 'it is not tried a third time');
    await pause(500);
    isOver = true;
    await Promise.all(clients);
    const lost = answers.filter((answer) => answer !== 'answered');
    t.ok(lost.length <= 8, `${lost.length} of ${answers.length} were with a process that died`);
    t.ok(
      lost.every((code) => code === 'ESP_WORKER_GONE'),
      lost.join(),
    );
    t.equal(answers.at(-1), 'answered');
    t.match(told, [{ code: 'ESP_RUNTIME_FELL_BACK' }]);
    t.match(pool.plan?.refused, { litert: /LiteRT's process has ended/ });
    t.strictSame(
      readdirSync('/dev/shm').filter((name) => name.startsWith('espalier-litert-')),
      [],
      'nothing is left in shared memory',
    );
    await serving.close();
    const again = open('killed-plans', 0);
    t.match((await again.serving.swapToSlot(slot)).pool.runtime, { adapter: 'onnxruntime' }, 'nor at the next start');
    await again.serving.close();
  },
);

t.test('LiteRT that stands still is given up, killed and started again', { skip }, async (t) => {
  const pool = await ModelPool.open(
    path.join(built!.folder, 'model.tflite'),
    built!.built.sessionOptions,
    poolSettings(AgentConfig.parse({ hangLimitS: 0.4 })),
  );
  t.match(pool.runtime, { adapter: 'litert' }, 'a .tflite alone is served, too');
  const [first] = children();
  process.kill(first!, 'SIGSTOP');
  await t.rejects(pool.infer(image(1)), { code: 'ESP_WORKER_HUNG' });
  const { outputs } = await pool.infer(image(1));
  t.equal(numbers(outputs).length, 10);
  t.ok(await until(() => !children().includes(first!)), 'it does not stay');
  await pool.close();
  t.strictSame(children(), []);
});

t.test('answers that are not the golden ones are refused, by a coded line', { skip }, async (t) => {
  const slot = slotWith('different', { tolerance: { scores: 0, logits: 0, output: 0 } });
  const { serving, tuner, told } = open('different-plans', 2);
  const { pool } = await serving.swapToSlot(slot);
  await tuner.settled();
  t.match(pool.runtime, { adapter: 'onnxruntime' });
  t.match(told, [{ code: 'ESP_RUNTIME_FELL_BACK', error: /differs by .*allowed 0/ }]);
  t.match(pool.plan?.refused, { litert: /differs by/ });
  await serving.close();
});

/** The agent's serving parts with a channel to the benchmark: swaps, soaks and tells its memory on request. */
import path from 'node:path';
import { silent } from '@espalier/agent/common/log';
import { AgentConfig } from '@espalier/agent/config';
import { readFacts } from '@espalier/agent/hardware/facts';
import { openWorkers } from '@espalier/agent/runtime/crew';
import { PreparedModels } from '@espalier/agent/runtime/prepared';
import { candidates, capacity, cpuBudget, fastCpus, type Measured } from '@espalier/agent/runtime/tuning/candidates';
import { measureSetup } from '@espalier/agent/runtime/tuning/tune';
import { openEndpoints } from '@espalier/agent/serve/endpoints';
import { makeMetrics } from '@espalier/agent/serve/metrics';
import { Serving } from '@espalier/agent/serve/serving';
import { endpointSettings, makeTuner, poolSettings } from '@espalier/agent/serve/settings';
import { SharedMemory } from '@espalier/agent/serve/shared-memory';
import { median } from './tools.ts';

const [, , file = '', plans = '', limitMs = ''] = process.argv;
const config = AgentConfig.parse({ port: 0, grpcPort: 0, ...(limitMs ? { latencyLimitMs: limitMs } : {}) });
const { cpu } = readFacts();
const tuner = makeTuner(config, plans, cpu, silent);
const prepared = new PreparedModels(path.join(plans, 'prepared'), cpu);
const serving = new Serving(poolSettings(config), tuner, { prepared });
const memory = new SharedMemory();
const now = (): number => performance.now();
const parts = {
  serving,
  metrics: makeMetrics(serving, () => 0),
  memory,
  log: silent,
  maxBodyBytes: config.maxBodyBytes,
  now,
};
const endpoints = await openEndpoints(parts, endpointSettings(config));

/** Every setup at every batch size in use, in interleaved rounds: what the search had to find. */
async function sweep(rounds: number): Promise<{ chosen: number; best: number; setups: number; spread: number }> {
  const { pool } = serving.served!;
  const sizes = pool.plan!.curve.map(([size]) => size);
  const setups = candidates(cpuBudget(cpu), fastCpus(cpu.clusters));
  const rates = setups.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [at, setup] of setups.entries()) {
      const workers = await openWorkers(
        { file: pool.file, options: pool.options, ...pool.settings },
        { ...setup, curve: [] },
      );
      const measured: Measured = { ...setup, sizes: await measureSetup(workers, pool.layout!, sizes, now) };
      rates[at]!.push(capacity({ ...measured, spin: false }, pool.settings.latencyLimitMs ?? 1e9));
      await workers.close();
    }
  const quartile = (values: number[], share: number): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;
  const { workers, threads, spin } = pool.plan!;
  const mine = setups.findIndex((one) => one.workers === workers && one.threads === threads && one.spin === spin);
  const medians = rates.map((values) => quartile(values, 0.5));
  const best = medians.indexOf(Math.max(...medians));
  const spread = quartile(rates[best]!, 0.75) - quartile(rates[best]!, 0.25);
  return { chosen: medians[mine]!, best: medians[best]!, setups: setups.length, spread };
}

/** From nothing to a model that is ready, with the weights laid out before and without, taking turns; medians, milliseconds. */
async function startTimes(n: number): Promise<{ packed: number; plain: number; n: number }> {
  const { name, options } = serving.served!;
  const models = new PreparedModels(path.join(plans, 'bench-prepared'), cpu);
  const model = path.resolve(file);
  // Without a tuner a local file goes by its name, as a build does by its slot: nothing is hashed.
  await models.prepare(model, model, options);
  const times = { packed: [] as number[], plain: [] as number[] };
  for (let at = 0; at < n; at++)
    for (const kind of ['plain', 'packed'] as const) {
      const one = new Serving(poolSettings(config), null, kind === 'packed' ? { prepared: models } : {});
      const fromMs = now();
      await one.swapToFile(model, name);
      times[kind].push(now() - fromMs);
      await one.close();
    }
  return { packed: median(times.packed), plain: median(times.plain), n };
}

const orders: Record<string, () => Promise<unknown>> = {
  start: () => startTimes(9),
  swap: async () => (await serving.swapToFile(file, 'm')).name,
  tuned: async () => {
    const fromMs = now();
    await tuner.settled();
    return { plan: serving.served?.pool.plan ?? null, ms: now() - fromMs };
  },
  failures: async () => serving.failures,
  sweep: () => sweep(5),
};
process.on('message', (word) => {
  void orders[String(word)]?.().then((answer) => process.send?.(answer ?? null));
});
process.on('SIGTERM', () => process.exit(0));
if (file) await serving.swapToFile(path.resolve(file), 'm');
process.stdout.write(`at http://127.0.0.1:${endpoints.port}\ngRPC at 127.0.0.1:${endpoints.grpcPort}\n`);

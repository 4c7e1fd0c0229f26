import { Command, Option } from 'commander';
import { type Candidate, type SearchResult, search } from '../architecture/search.js';
import { METHODS, type Method } from '../architecture/searchers.js';
import { openDataset } from '../data/dataset.js';
import type { BatchOptions } from '../data/feeds.js';
import { findPreprocess, writePreprocess } from '../data/preprocess.js';
import { readChecked } from '../inspect.js';
import { measureShare } from '../latency/measure-share.js';
import { readTable } from '../latency/read-table.js';
import { encodeModel, writeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { orderPruning } from '../prune/prunable.js';
import { compare } from '../recipe/accuracy.js';
import { prepare } from '../recipe/prepare.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { Session } from '../runtime/session.js';
import { modelName } from './model-name.js';
import { wholeNumber } from './numbers.js';
import { chooseProfile, profilesOption } from './quantize.js';
import { share } from './shares.js';
import { alignColumns, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly data: string;
  readonly latency: number;
  readonly table: string;
  readonly method: Method;
  readonly evaluations: number;
  readonly samples: number;
  readonly evaluate?: string;
  readonly profile?: string;
  readonly profiles: string[];
  readonly preprocess?: string;
  readonly seed: number;
  readonly json?: boolean;
}

const EVALUATIONS_MAX = 100_000;

export const searchCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('search')
    .description('Search widths, blocks and windows within a latency; weights come from the model, nothing is trained.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <file>', 'the found float model')
    .requiredOption('--data <spec>', 'samples to refit and judge on; labels are told but not needed')
    .requiredOption('--latency <share>', 'share of the latency to keep', share)
    .requiredOption('--table <file>', 'latency table of this model, by `espalier profile-ops`')
    .addOption(new Option('--method <name>', 'how networks are proposed').choices(METHODS).default('evolution'))
    .option('--evaluations <n>', 'networks to try', wholeNumber('--evaluations', 1, EVALUATIONS_MAX), 60)
    .option('--samples <n>', 'samples to order channels and refit the result by', wholeNumber('--samples', 1, 1e6), 300)
    .option('--evaluate <spec>', 'other samples to judge the result and the knapsack’s on')
    .option('--profile <id>', 'hardware profile whose channel alignment is kept; by default the one of this machine')
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .option('--seed <number>', 'the same seed proposes the same networks', wholeNumber('--seed', 0, 2 ** 32 - 1), 1)
    .addOption(profilesOption())
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const profile = await chooseProfile(flags.profile, flags.profiles);
  const table = await readTable(flags.table);
  const original = await readChecked(model);
  const { record: preprocess } = await findPreprocess(model, original, flags.preprocess);
  if (preprocess) writePreprocess(original, preprocess);
  const { inputs } = await probeModel(model, limitsOf(original));
  const { seed, samples, latency, method, evaluations } = flags;
  const data = await openDataset(flags.data);
  const feeding = { inputs, preprocess, batchSize: 32, seed, limit: samples, signal };
  const { graph } = await prepare(original, data, feeding);
  const subject = await orderPruning(graph, {
    importance: 'obs',
    alignment: profile.alignment,
    tied: false,
    data,
    feeding,
    seed,
  });
  const started = performance.now();
  const result = await search(subject, {
    ...{ table, latency, method, evaluations, seed, signal },
    onFront: (found, at) => terminal.err(`${at}: ${textOf(found, table.anchorUs)}\n`),
  });
  const seconds = (performance.now() - started) / 1000;
  const best = await result.build(result.best.genome);
  await writeModel(best, flags.output);
  const measuredShare = await measureShare(subject, best, { profile, precision: table.key.precision });
  const judged = flags.evaluate ? await judge(original, best, result, flags.evaluate, feeding) : null;
  const summary = {
    ...{ model: modelName(model), method, seed, evaluations: result.evaluations, seconds },
    ...{ wholeUs: table.anchorUs, budgetUs: result.budgetUs, genes: result.space.genes },
    ...{ best: result.best, knapsack: result.knapsack, front: result.front, evaluation: judged, measuredShare },
  };
  terminal.out(flags.json ? `${JSON.stringify(summary)}\n` : describe(result, measuredShare, judged));
}

interface Judged {
  readonly n: number;
  readonly top1Whole: number | null;
  readonly top1: number | null;
  readonly top1Knapsack: number | null;
}

/** The found network and the knapsack's, both refitted on the same samples. */
async function judge(
  original: Graph,
  best: Graph,
  { knapsack, build }: SearchResult,
  spec: string,
  { limit: _, ...feeding }: BatchOptions,
): Promise<Judged> {
  const data = await openDataset(spec);
  const whole = await Session.open(encodeModel(original), 'the whole model');
  const held = async (graph: Graph) => {
    const session = await Session.open(encodeModel(graph), 'a found model');
    const comparison = await compare(whole, session, data, feeding);
    await session.dispose();
    return comparison;
  };
  const { n, top1, top1Float } = await held(best);
  const other = knapsack && (await held(await build(knapsack.genome)));
  await whole.dispose();
  return { n, top1Whole: top1Float, top1, top1Knapsack: other?.top1 ?? null };
}

function textOf({ latencyUs, divergence, top1 }: Candidate, wholeUs: number): string {
  const right = top1 === null ? '' : `, top-1 ${top1.toFixed(1)}%`;
  const kept = ((100 * latencyUs) / wholeUs).toFixed(1);
  return `${latencyUs.toFixed(0)} us by the table (${kept}%), ${divergence.toFixed(4)} nats from the model${right}`;
}

function describe(
  { best, knapsack, space, evaluations }: SearchResult,
  measuredShare: number,
  judged: Judged | null,
): string {
  const rows = space.genes.flatMap(({ id, kind, values }, at) => {
    const [chosen, whole] = [values[best.genome[at]!]!, values.at(-1)!];
    return chosen === whole ? [] : [[kind, id, String(whole), String(chosen)]];
  });
  const lines = [
    `Best of ${evaluations}: ${textOf(best, space.wholeUs)}`,
    `Measured on this machine: ${(100 * measuredShare).toFixed(1)}% of the model's latency`,
    `Knapsack over widths: ${knapsack ? textOf(knapsack, space.wholeUs) : 'finds none within the latency'}`,
    ...(judged
      ? [`Top-1 of ${judged.n}: ${judged.top1}%, the knapsack's ${judged.top1Knapsack}%, whole ${judged.top1Whole}%`]
      : []),
  ];
  return `${alignColumns([['KIND', 'WHERE', 'BEFORE', 'AFTER'], ...rows])}${lines.join('\n')}\n`;
}

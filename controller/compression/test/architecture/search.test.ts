/** Searches: proposals keep to their budget and get better, and a network with a known best is found again. */

import { findBlocks, shrinkWindow, skipBlock } from '@espalier/compression/architecture/blocks';
import { withinWhole } from '@espalier/compression/architecture/find-space';
import { type Candidate, search, withCandidate } from '@espalier/compression/architecture/search';
import { METHODS, searcherOf } from '@espalier/compression/architecture/searchers';
import { fitToBudget, latencyOf, type Space, wholeGenome } from '@espalier/compression/architecture/space';
import { openDataset } from '@espalier/compression/data/dataset';
import { randomFrom } from '@espalier/compression/data/feeds';
import { floatsOf, type Tensor } from '@espalier/compression/onnx/tensor';
import { macsOf } from '@espalier/compression/prune/macs';
import { orderPruning } from '@espalier/compression/prune/prunable';

import type { LatencyTable } from '@espalier/proto';
import t from 'tap';
import { distance, floats, noise, run, tinyGraph } from '../support/tiny.ts';

const toy: Space = {
  genes: [
    ...Array.from({ length: 6 }, (_, at) => ({ id: `g${at}`, kind: 'width' as const, values: [4, 8, 12, 16] })),
    { id: 'block', kind: 'depth', values: [0, 1] },
    { id: 'window', kind: 'kernel', values: [3, 5] },
  ],
  nodes: [
    ...Array.from({ length: 6 }, (_, at) => ({
      ...{ node: `n${at}`, movingUs: 10, fixedUs: 1, widths: [at], kernel: null, blocks: at === 5 ? [6] : [] },
    })),
    { node: 'k', movingUs: 25, fixedUs: 0, widths: [], kernel: 7, blocks: [] },
  ],
  wholeUs: 100,
};

t.test('latency: widths, a smaller window and a block left out each take off what they cost', async (t) => {
  const whole = wholeGenome(toy);
  t.equal(latencyOf(toy, whole), 100);
  t.equal(latencyOf(toy, whole.with(0, 1)), 95, 'half of the channels');
  t.equal(latencyOf(toy, whole.with(7, 0)), 100 - 25 + 9, '3x3 of 5x5');
  t.equal(latencyOf(toy, whole.with(6, 0)), 89, 'with its fixed part');
});

t.test('what a profiler adds to every operator is not credited to a block that goes', async (t) => {
  const costs = withinWhole(toy.nodes, 88);
  t.equal(costs[5]!.fixedUs, 0.5, 'of 85 us moving and 6 us fixed only 3 are left for the fixed parts');
  t.strictSame(withinWhole(toy.nodes, 200), toy.nodes);
});

t.test('every proposal keeps to the budget, spends it, and leaves decided genes alone', async (t) => {
  const random = randomFrom(1);
  for (let at = 0; at < 50; at++) {
    const fitted = fitToBudget(toy, wholeGenome(toy), 70, random, new Set([0, 6]));
    t.ok(latencyOf(toy, fitted) <= 70 && latencyOf(toy, fitted) > 55);
    t.strictSame([fitted[0], fitted[6]], [3, 1]);
  }
});

/** The first two genes are precious, the others are nearly free. */
const errorOf = (genome: readonly number[]): number =>
  0.01 +
  genome.reduce((sum, choice, gene) => sum + (toy.genes[gene]!.values.length - 1 - choice) * (gene < 2 ? 1 : 0.02), 0);

t.test('evolution and the controller learn what random search does not', async (t) => {
  const task = { space: toy, budgetUs: 60 };
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const late = new Map<string, number>();
  for (const method of METHODS) {
    const ends: number[] = [];
    for (let seed = 0; seed < 5; seed++) {
      const random = randomFrom(seed);
      let searcher = searcherOf(method, toy);
      for (let at = 0; at < 120; at++) {
        const genome = searcher.propose(task, random);
        if (latencyOf(toy, genome) > 60) t.fail('over the budget');
        if (at >= 100) ends.push(errorOf(genome));
        searcher = searcher.update(genome, errorOf(genome));
      }
    }
    late.set(method, mean(ends));
  }
  t.ok(late.get('evolution')! < 0.7 * late.get('random')!, `${[...late]}`);
  t.ok(late.get('reinforce')! < 0.7 * late.get('random')!, `${[...late]}`);
});

t.test('the front holds what no other is both faster and nearer than', async (t) => {
  const one = (latencyUs: number, divergence: number): Candidate => ({ latencyUs, divergence, genome: [], top1: null });
  const front = [one(1, 5), one(3, 3), one(2, 4), one(3, 6), one(2, 1)].reduce(
    withCandidate,
    [] as readonly Candidate[],
  );
  t.strictSame(
    front.map(({ latencyUs, divergence }) => [latencyUs, divergence]),
    [
      [1, 5],
      [2, 1],
    ],
  );
});

/** Weights of which only the middle of the window counts. */
const middleOnly = (dims: [number, number, number, number], seed: number): Tensor => {
  const tensor = noise(dims, seed, 0.3);
  const [, , size] = dims;
  const middle = (size * size - 1) / 2;
  return floats(
    dims,
    floatsOf(tensor)!.map((value, at) => (at % (size * size) === middle ? value : 0)),
  );
};

const pad = (size: number) => ({ pads: [size, size, size, size] });

/** A 5x5 window of which one place counts, a block that adds nothing, and a block that matters. */
const known = () =>
  tinyGraph({
    inputs: { x: ['N', 3, 8, 8] },
    outputs: ['y'],
    constants: {
      wa: middleOnly([8, 3, 5, 5], 1),
      ...{ wb: noise([8, 8, 3, 3], 2, 0.2), wc: floats([8, 8, 3, 3], new Float32Array(576)) },
      ...{ wd: noise([8, 8, 3, 3], 4, 0.4), we: noise([8, 8, 3, 3], 5, 0.4), wg: noise([4, 8], 6, 2) },
    },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], pad(2)],
      ['Relu', ['a'], ['ra']],
      ['Conv', ['ra', 'wb'], ['b'], pad(1)],
      ['Relu', ['b'], ['rb']],
      ['Conv', ['rb', 'wc'], ['c'], pad(1)],
      ['Add', ['c', 'ra'], ['s']],
      ['Relu', ['s'], ['rs']],
      ['Conv', ['rs', 'wd'], ['d'], pad(1)],
      ['Relu', ['d'], ['rd']],
      ['Conv', ['rd', 'we'], ['e'], pad(1)],
      ['Add', ['rs', 'e'], ['u']],
      ['Relu', ['u'], ['ru']],
      ['GlobalAveragePool', ['ru'], ['p']],
      ['Flatten', ['p'], ['f'], { axis: 1 }],
      ['Gemm', ['f', 'wg'], ['y'], { transB: 1 }],
    ],
  });

const orders = async () => {
  const data = await openDataset('random:96');
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 3, 8, 8] }];
  const alignment = { inputChannels: 4, outputChannels: 4, depthwiseChannels: 4 };
  const feeding = { inputs, preprocess: null, batchSize: 16, seed: 1 };
  return orderPruning(known(), { importance: 'obs', alignment, tied: false, data, feeding, seed: 1 });
};

t.test('a block that adds nothing and a rim of zeros go without a trace', async (t) => {
  const subject = await orders();
  const blocks = findBlocks(subject.graph, subject.shapes);
  t.strictSame(
    blocks.map(({ sum, skip }) => [sum, skip]),
    [
      ['s', 'ra'],
      ['u', 'rs'],
    ],
  );
  const graph = known();
  skipBlock(graph, blocks[0]!);
  shrinkWindow(graph, graph.nodes[0]!);
  t.strictSame(graph.constantOf(graph.nodes[0]!, 1)!.dims, [8, 3, 3, 3]);
  const x = noise([2, 3, 8, 8], 9);
  const [before, after] = [await run(known(), { x }), await run(graph, { x })];
  t.ok(distance(before.y!, after.y!) < 1e-5);
});

t.test('each method finds the network that is known to be as good, and says when a budget cannot be met', async (t) => {
  const subject = await orders();
  const rows = subject.graph.nodes.map((node) => {
    const work = macsOf(subject.graph, node, subject.shapes);
    return {
      node: node.name,
      op: node.opType,
      points: [{ work, us: work / 1000 }],
      fixedUs: 1,
      usPerWork: 1e-3,
      origin: 'measured' as const,
    };
  });
  const anchorUs = rows.reduce((sum, { points, fixedUs }) => sum + points[0]!.us + fixedUs, 0);
  const key = { profile: 'p', soc: null, runtime: 'r', options: '{}', powerMode: null, precision: 'float32' as const };
  const table: LatencyTable = { version: 1, model: 'known', key, anchorUs, rows };
  for (const method of METHODS) {
    const seen: number[] = [];
    const options = {
      table,
      latency: 0.45,
      method,
      evaluations: 24,
      seed: 1,
      onFront: (_: unknown, at: number) => seen.push(at),
    };
    const { best, budgetUs, knapsack, evaluations, space } = await search(subject, options);
    t.ok(best.divergence < 1e-3, `${method}: ${best.divergence} nats`);
    t.ok(best.latencyUs <= budgetUs + 1e-9 && evaluations <= 24 && seen.length > 0);
    const block = space.genes.findIndex(({ id }) => id === 's');
    t.equal(best.genome[block], 0, 'the block that adds nothing is left out');
    t.ok(knapsack === null || knapsack.divergence > best.divergence, 'widths alone do not get there');
  }
  const impossible = { table, latency: 0.01, method: 'random' as const, evaluations: 2, seed: 1 };
  await t.rejects(search(subject, impossible), { code: 'ESP_PRUNE_BUDGET_MISSED' });
});

/**
 * Reading, simplifying and fusing one model, in a process of its own: {"firstMs", "ms", "nodesBefore", "nodes"}, where
 * `firstMs` is the first time, before anything was compiled, and `ms` the median of the times after it. Argument: file.
 */
import { readModel } from '@espalier/compression/onnx/codec';
import { preparation, runPasses } from '@espalier/compression/passes/index';

const RUNS = 9;
const [, , file] = process.argv as [string, string, string];
const times: number[] = [];
let [nodesBefore, nodes] = [0, 0];
for (let run = 0; run < RUNS; run++) {
  const start = performance.now();
  const graph = await readModel(file);
  nodesBefore = graph.nodes.length;
  runPasses(graph, preparation);
  nodes = graph.nodes.length;
  times.push(performance.now() - start);
}
const [first, ...warm] = times as [number, ...number[]];
warm.sort((a, b) => a - b);
const rounded = (ms: number): number => Number(ms.toFixed(1));
const line = { firstMs: rounded(first), ms: rounded(warm[warm.length >> 1]!), nodesBefore, nodes };
process.stdout.write(`${JSON.stringify(line)}\n`);

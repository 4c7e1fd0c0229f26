/**
 * Reading, simplifying and fusing one model, in a process of its own: {"firstMs", "ms", "nodesBefore", "nodes"}, where
 * `firstMs` is the first time, before anything was compiled, and `ms` the median of the times after it, in milliseconds of
 * the processor, as the peers' are: what else a machine does is not in them. Argument: file.
 */
import { readModel } from '@espalier/compression/onnx/codec';
import { preparation, runPasses } from '@espalier/compression/passes/index';

const RUNS = 9;

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const [, , file] = process.argv as [string, string, string];
const times: number[] = [];
let [nodesBefore, nodes] = [0, 0];
for (let run = 0; run < RUNS; run++) {
  const start = processorMs();
  const graph = await readModel(file);
  nodesBefore = graph.nodes.length;
  runPasses(graph, preparation);
  nodes = graph.nodes.length;
  times.push(processorMs() - start);
}
const [first, ...warm] = times as [number, ...number[]];
warm.sort((a, b) => a - b);
const rounded = (ms: number): number => Number(ms.toFixed(1));
const line = { firstMs: rounded(first), ms: rounded(warm[warm.length >> 1]!), nodesBefore, nodes };
process.stdout.write(`${JSON.stringify(line)}\n`);

/**
 * `npm run bench:codec -- --json`: reading, checking, rewriting and writing large models, each against
 * @bufbuild/protobuf alone on the same file in the same run, taking turns. A line an id:
 * {"id","value","unit","limit","reference","referenceValue","ratio","n"}; value and referenceValue are medians.
 *
 *   node controller/compression/test/bench/codec.ts [--json] [--runs N] [--only REGEX]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { encodeModel, parseModel, readModel, writeModel } from '@espalier/compression/onnx/codec';
import { ModelProtoSchema } from '@espalier/compression/onnx/gen/onnx_pb';
import { verify } from '@espalier/compression/onnx/verify';
import { preparation, runPasses } from '@espalier/compression/passes/index';
import { modelFile, node, value, weights } from '../support/message.ts';
import { noise } from '../support/tiny.ts';

interface Row {
  readonly id: string;
  readonly limitMs: number;
  readonly reference: string;
  readonly file: () => Uint8Array;
  readonly run: (file: string) => Promise<unknown>;
  readonly against: (file: string) => Promise<unknown>;
}

/** 50 matrices of 1,000 x 1,000 float32: 200 MB. */
function heavy(): Uint8Array {
  const tensor = noise([1000, 1000], 1);
  const count = 50;
  return modelFile({
    input: [value('x', [1, 1000])],
    output: [value(`v${count}`)],
    initializer: weights(Object.fromEntries(Array.from({ length: count }, (_, at) => [`w${at}`, tensor]))),
    node: Array.from({ length: count }, (_, at) => node('MatMul', [at ? `v${at}` : 'x', `w${at}`], [`v${at + 1}`])),
  });
}

/** 50,000 nodes in a chain, every second an Identity that goes. */
function long(): Uint8Array {
  const count = 50_000;
  return modelFile({
    input: [value('x', [1, 8])],
    output: [value(`v${count}`)],
    node: Array.from({ length: count }, (_, at) =>
      node(at % 2 ? 'Relu' : 'Identity', [at ? `v${at}` : 'x'], [`v${at + 1}`], { name: `n${at}` }),
    ),
  });
}

const decoded = (file: string) => fromBinary(ModelProtoSchema, readFileSync(file));

const rows: readonly Row[] = [
  {
    id: 'codec-200mb',
    limitMs: 1500,
    reference: 'readFile, fromBinary and toBinary of @bufbuild/protobuf',
    file: heavy,
    run: async (file) => encodeModel(await readModel(file)),
    against: async (file) => toBinary(ModelProtoSchema, decoded(file)),
  },
  {
    id: 'codec-200mb-to-disk',
    limitMs: 1500,
    reference: 'readFile, fromBinary, toBinary and writeFile',
    file: heavy,
    run: async (file) => writeModel(await readModel(file), `${file}.out`),
    against: async (file) => writeFileSync(`${file}.out`, toBinary(ModelProtoSchema, decoded(file))),
  },
  {
    id: 'verify-200mb',
    limitMs: 1500,
    reference: 'readFile and fromBinary',
    file: heavy,
    run: async (file) => verify(await readModel(file), 'reading'),
    against: async (file) => decoded(file),
  },
  {
    id: 'graph-50k-nodes',
    limitMs: 5000,
    reference: 'readFile, fromBinary and toBinary of @bufbuild/protobuf',
    file: long,
    run: async (file) => {
      const graph = await readModel(file);
      runPasses(graph, preparation);
      return parseModel(encodeModel(graph));
    },
    against: async (file) => toBinary(ModelProtoSchema, decoded(file)),
  },
];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function measure(row: Row, file: string, runs: number) {
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let at = 0; at <= runs; at++) {
    const pair = [await timed(() => row.run(file)), await timed(() => row.against(file))] as const;
    // The first turn warms up both.
    if (at > 0) [ours, theirs].forEach((list, side) => void list.push(pair[side]!));
  }
  const [found, referenceValue] = [median(ours), median(theirs)];
  return {
    id: row.id,
    value: Math.round(found),
    unit: 'ms',
    limit: row.limitMs,
    reference: row.reference,
    referenceValue: Math.round(referenceValue),
    ratio: Number((found / referenceValue).toFixed(2)),
    n: runs,
  };
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
});
const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
try {
  for (const row of rows.filter(({ id }) => new RegExp(values.only).test(id))) {
    const file = path.join(folder, 'model.onnx');
    writeFileSync(file, row.file());
    const line = await measure(row, file, Number(values.runs));
    const { id, value: ms, limit, referenceValue, ratio, reference } = line;
    const plain = `${id}: ${ms} ms (limit ${limit}), ${ratio} times the ${referenceValue} ms of ${reference}`;
    process.stdout.write(`${values.json ? JSON.stringify(line) : plain}\n`);
    if (ms > limit) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

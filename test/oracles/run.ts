/**
 * `npm run test:oracles`: our builds of the data pack's models before the vendors' compilers, one JSON line each.
 * `--only operators` takes each operator alone instead. Ends with 1 when a compiler refuses a build or leaves an operator to
 * the CPU; what is not available is skipped by name.
 *
 *   node test/oracles/run.ts [--tools vela,litert,qnn,rknn] [--profile REGEX] [--only REGEX]
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, type HardwareProfile, loadProfiles, readPreprocess } from '@espalier/compression';
import { benchArguments } from '../bench/arguments.ts';
import { models, specs } from '../bench/models-list.ts';
import { root } from '../support/process.ts';
import { writeInputs } from './inputs.ts';
import { judge } from './judge.ts';
import { buildOperator, operatorNames } from './operators.ts';
import { prepareTool } from './tools.ts';

const values = benchArguments(import.meta.filename, {
  tools: { type: 'string', default: 'vela,litert' },
  profile: { type: 'string', default: '' },
  only: { type: 'string', default: 'resnet20|resnet8|kws|mobilenetv2-1' },
});
const data = path.join(root, '..', 'shared', 'data');
/** The compilers judge what a build is, not how well it predicts: samples up to this number are enough. */
const EVALUATED_TO = 220;

/** Samples that a judge runs: its emulation of a device takes seconds each. */
const JUDGED = 16;

const say = (line: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

/** Profiles whose builds are the same file share one. */
const buildKey = ({
  scheme,
  placement,
  fusion,
  limits,
  narrow,
  shapes,
  rewrites,
  outputs,
}: HardwareProfile): string => {
  const { patterns: _fusedLater, ...operators } = fusion;
  return JSON.stringify([scheme, placement, operators, limits, narrow, shapes, rewrites, outputs.includes('tflite')]);
};

interface Subject {
  readonly model: string;
  readonly build: (profile: HardwareProfile, folder: string) => Promise<void>;
}

/** The networks that `--only` names. */
function subjects(): Subject[] {
  if (values.only === 'operators') {
    return operatorNames.map((model) => ({ model, build: (profile, folder) => buildOperator(model, profile, folder) }));
  }
  return models
    .filter(({ model }) => new RegExp(values.only).test(model) && !model.endsWith('.zoo'))
    .map((entry) => ({ model: entry.model, build: (profile, folder) => build(profile, entry, folder) }));
}

async function build(profile: HardwareProfile, { model, data: kind }: (typeof models)[number], outDir: string) {
  const { calibrate, evaluate } = specs(data)[kind];
  const preprocess = await readPreprocess(path.join(data, 'preprocess', `${model}.json`));
  const { inputs, report } = await buildVariant({
    ...{ modelPath: path.join(data, 'models', `${model}.onnx`), modelName: model, profile, recipe: 'int8', outDir },
    ...{ calibrate, evaluate: `${evaluate}${evaluate.includes('?') ? '&' : '?'}to=${EVALUATED_TO}` },
    preprocess,
    output: profile.outputs.includes('tflite') ? 'tflite' : 'onnx',
  });
  if (report.method === 'int8') await writeInputs(outDir, { spec: evaluate, preprocess, inputs, count: JUDGED });
}

async function main(): Promise<number> {
  if (!existsSync(data)) {
    process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
    return 0;
  }
  const tools = new Set(values.tools.split(','));
  const judged = (await loadProfiles()).filter(
    ({ id, oracle }) => new RegExp(values.profile).test(id) && !['onnxruntime', 'rules', 'none'].includes(oracle.tool),
  );
  const work = mkdtempSync(path.join(os.tmpdir(), 'espalier-oracles-'));
  const ready = new Map(judged.map(({ oracle: { tool } }) => [tool, prepareTool(tool, tools)]));
  let failures = 0;
  try {
    for (const [tool, found] of ready) if ('skipped' in found) say({ oracle: tool, skipped: found.skipped });
    for (const entry of subjects()) {
      const builds = new Map<string, string>();
      for (const profile of judged) {
        const { tool, target } = profile.oracle;
        const found = ready.get(tool)!;
        if ('skipped' in found) continue;
        const key = buildKey(profile);
        const folder = builds.get(key) ?? path.join(work, entry.model, profile.id);
        if (!builds.has(key)) await entry.build(profile, folder);
        builds.set(key, folder);
        const verdict = judge(found, profile, folder);
        say({ oracle: tool, profile: profile.id, target, model: entry.model, ...verdict });
        if (!verdict.ok) failures++;
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return failures > 0 ? 1 : 0;
}

process.exitCode = await main();

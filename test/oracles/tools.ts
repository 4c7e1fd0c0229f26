/** The vendors' compilers, in environments of their own outside the project: installed once, by pip. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { HardwareProfile } from '@espalier/compression';
import { labCache } from '../support/lab-cache.ts';
import { root } from '../support/process.ts';

export type OracleTool = HardwareProfile['oracle']['tool'];

interface Environment {
  readonly packages: readonly string[];
  /** A program of the environment that shows that the installation ended. */
  readonly probe: string;
  /** What it takes on disk, for people. */
  readonly size: string;
}

const VELA: Environment = { packages: ['ethos-u-vela==5.2.0'], probe: 'vela', size: '0.4 GB' };
/** The judges read .npy and compare with ONNX Runtime. */
const COMMON = ['numpy', 'onnxruntime==1.32.0'];

const ENVIRONMENTS: Partial<Record<OracleTool, Environment>> = {
  vela: VELA,
  litert: { packages: ['ai-edge-litert==2.3.0', 'tflite-micro', ...COMMON], probe: 'python', size: '0.3 GB' },
  qnn: { packages: ['onnxruntime-qnn==2.7.0', ...COMMON], probe: 'python', size: '0.5 GB' },
  rknn: { packages: [], probe: 'python', size: '5.6 GB' },
};

/** Programs that call a compiler and print one JSON line; they come with the data pack. */
const judges = path.join(root, '..', 'shared', 'peers', 'npu');

export type Tool = { readonly program: string; readonly arguments: readonly string[] } | { readonly skipped: string };

/** How a tool is called, after it was installed where that is possible; otherwise why it is skipped. */
export function prepareTool(tool: OracleTool, allowed: ReadonlySet<string>): Tool {
  const environment = ENVIRONMENTS[tool];
  if (!environment) return { skipped: `no compiler of ${tool} can be installed` };
  if (process.platform !== 'linux' || process.arch !== 'x64') return { skipped: 'the compilers are for x64 Linux' };
  if (!allowed.has(tool)) return { skipped: `${tool} takes ${environment.size}; name it with --tools to have it` };
  const script = path.join(judges, `check_${tool === 'litert' ? 'tflite' : tool}.py`);
  if (tool !== 'vela' && !existsSync(script)) return { skipped: `its judge is not at ${script}` };
  const folder = path.join(labCache, `oracle-${tool}`);
  const why = existsSync(path.join(folder, 'complete')) ? null : install(tool, environment, folder);
  if (why) return { skipped: why };
  const program = path.join(folder, 'bin', environment.probe);
  return { program, arguments: tool === 'vela' ? [] : [script] };
}

/** Null, or why it did not work. */
function install(tool: OracleTool, { packages }: Environment, folder: string): string | null {
  mkdirSync(folder, { recursive: true });
  const run = (program: string, ...given: string[]): string | null => {
    const { status, stderr, error } = spawnSync(program, given, { encoding: 'utf8' });
    if (error) return `${program} is not installed`;
    return status === 0 ? null : `${program} ${given[0]}: ${stderr.trim().split('\n').at(-1)}`;
  };
  process.stderr.write(`Installing ${tool} into ${folder} ...\n`);
  const wanted = tool === 'rknn' ? ['-r', path.join(judges, 'requirements-rknn.txt')] : packages;
  const why =
    run('python3', '-m', 'venv', folder) ?? run(path.join(folder, 'bin', 'pip'), 'install', '--quiet', ...wanted);
  if (why === null) mkdirSync(path.join(folder, 'complete'));
  return why;
}

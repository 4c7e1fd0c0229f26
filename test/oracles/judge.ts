/** One build before one compiler: the verdict as plain data. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { HardwareProfile } from '@espalier/compression';
import type { Tool } from './tools.ts';

export type Verdict = { readonly ok: boolean } & Readonly<Record<string, unknown>>;
type Ready = Extract<Tool, { program: string }>;

const TIMEOUT_MS = 600_000;

const call = (tool: Ready, ...given: readonly string[]) =>
  spawnSync(tool.program, [...tool.arguments, ...given], { encoding: 'utf8', timeout: TIMEOUT_MS });

/** @param folder the artifact of the build */
export function judge(tool: Ready, { oracle }: HardwareProfile, folder: string): Verdict {
  if (oracle.tool === 'vela') return vela(tool, oracle, path.join(folder, 'model.tflite'));
  const real = (name: string): string[] => [path.resolve(folder, name)].filter(existsSync);
  if (oracle.tool === 'litert') return listen(tool, path.join(folder, 'model.tflite'), ...real('inputs-int8.npy'));
  return listen(tool, path.resolve(folder, 'model.onnx'), oracle.target ?? '', ...real('inputs-float.npy'));
}

/** Every operator on the NPU, or its name and Vela's reason. Times are Vela's estimates, never a measurement. */
function vela(tool: Ready, oracle: HardwareProfile['oracle'], model: string): Verdict {
  const out = mkdtempSync(path.join(os.tmpdir(), 'espalier-vela-'));
  try {
    const target = ['--accelerator-config', oracle.target ?? '', '--output-dir', out, '--show-cpu-operations'];
    const { status, stdout, stderr } = call(tool, model, ...target, ...oracle.arguments);
    const text = `${stdout}\n${stderr}`;
    const count = (where: string): number | null => {
      const found = new RegExp(`${where} operators = (\\d+)`).exec(text);
      return found ? Number(found[1]) : null;
    };
    const reasons = [...text.matchAll(/operator: (\w+), ofm:.*\nReason: (.*)/g)].map(([, op, why]) => `${op}: ${why}`);
    const [npuOperators, cpuOperators] = [count('NPU'), count('CPU')];
    const ok = status === 0 && cpuOperators === 0;
    const error = status === 0 ? undefined : text.trim().split('\n').at(-1);
    return { ok, npuOperators, cpuOperators, reasons, ...summary(out), ...(error ? { error } : {}) };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function summary(folder: string): Record<string, number> {
  const file = readdirSync(folder).find((name) => /summary.*\.csv$/.test(name));
  if (!file) return {};
  const [names = '', values = ''] = readFileSync(path.join(folder, file), 'utf8').split('\n');
  const cells = values.split(',');
  const cell = (name: string): number => Number(cells[names.split(',').indexOf(name)]);
  return { estimateMs: cell('inference_time') * 1000, sramKib: cell('sram_memory_used') };
}

/** A judge of the data pack prints one JSON line; what is long and what repeats the call stays out. */
function listen(tool: Ready, ...given: string[]): Verdict {
  const { stdout, stderr, error } = call(tool, ...given);
  const line = stdout?.trim().split('\n').at(-1) ?? '';
  try {
    const { check: _check, model: _model, layers: _layers, ...rest } = JSON.parse(line) as Record<string, unknown>;
    return { ...rest, ok: rest.ok === true };
  } catch {
    return { ok: false, error: error?.message ?? stderr.trim().split('\n').at(-1) ?? 'it printed nothing' };
  }
}

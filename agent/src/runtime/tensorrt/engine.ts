/**
 * TensorRT by trtexec: engines built on the device they are for, kept under everything that makes them its own, and measured.
 * trtexec serves nobody, so a device that has only it measures and does not serve.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { canonicalDigest } from '@espalier/proto';
import { readIfThere } from '../../common/files.js';
import { RuntimeUnavailable } from '../../errors.js';
import { buildArgs, knownOptions, latenciesUs, measureArgs, versionOf } from './trtexec-options.js';

/** Where JetPack and the container images put it; ESPALIER_TRTEXEC names another. */
const DEFAULT = '/usr/src/tensorrt/bin/trtexec';
const BUILD_LIMIT_MS = 30 * 60_000;
const OUTPUT_BYTES = 1 << 26;

const run = promisify(execFile);

export interface EngineTimes {
  readonly version: string;
  /** Microseconds of each query. */
  readonly samplesUs: readonly number[];
  /** The whole command: only figures of equal commands may be compared. */
  readonly command: string;
  /** False when the engine was there already. */
  readonly built: boolean;
}

/** What an engine is bound to beside model and TensorRT: the GPU with its driver, or the board's release. */
async function gpu(): Promise<string> {
  const board = `${readIfThere('/proc/device-tree/model') ?? ''} ${readIfThere('/etc/nv_tegra_release') ?? ''}`.trim();
  const query = ['--query-gpu=name,compute_cap,driver_version', '--format=csv,noheader'];
  const cards = await run('nvidia-smi', query).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
  return `${board} ${cards}`.trim();
}

/** @throws ESP_RUNTIME_UNAVAILABLE with what trtexec said last */
export async function measureEngine(
  onnx: string,
  modelDigest: string,
  { folder, seconds, gpuName }: { readonly folder: string; readonly seconds: number; readonly gpuName?: string },
): Promise<EngineTimes> {
  const program = process.env.ESPALIER_TRTEXEC ?? DEFAULT;
  const missing = (cause: string) => RuntimeUnavailable({ runtime: 'TensorRT', cause });
  if (!existsSync(program)) throw missing(`there is no ${program}`);
  const trtexec = (args: readonly string[]): Promise<string> =>
    run(program, args, { maxBuffer: OUTPUT_BYTES, timeout: BUILD_LIMIT_MS }).then(
      ({ stdout }) => stdout,
      ({ stdout, message }: { stdout?: string; message: string }) => {
        throw missing(`trtexec failed: ${(stdout ?? message).trim().split('\n').at(-1)}`);
      },
    );
  const help = await trtexec(['--help']);
  const known = knownOptions(help);
  const version = versionOf(help) ?? 'unknown';
  const key = canonicalDigest({ modelDigest, version, gpu: gpuName ?? (await gpu()) });
  mkdirSync(folder, { recursive: true });
  const engine = path.join(folder, `${key.slice(0, 32)}.engine`);
  const built = !existsSync(engine);
  if (built) {
    const draft = `${engine}.new`;
    await trtexec(buildArgs(known, { onnx, engine: draft, timingCache: path.join(folder, 'timing.cache') }));
    renameSync(draft, engine);
  }
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-trtexec-'));
  try {
    const times = path.join(scratch, 'times.json');
    const args = measureArgs(known, engine, seconds, times);
    await trtexec(args);
    return {
      version,
      samplesUs: latenciesUs(readFileSync(times, 'utf8')),
      command: [program, ...args].join(' '),
      built,
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

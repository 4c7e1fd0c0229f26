/**
 * `npm run test:devices`: the sample's builds for processors that this machine has not, on emulated ones, held to what
 * x64 computes. Emulation says nothing about speed, so no latency is read or reported here.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { nodeBinary } from '../../deploy/package/node-binary.ts';
import { Checks } from '../support/checks.ts';
import { labCache } from '../support/lab-cache.ts';
import { root } from '../support/process.ts';
import { armRoot, cortexA53, cortexA76, native, onArm, onHaswell, type Run } from './emulator.ts';
import { type Build, buildSample, compute, difference, golden, images } from './sample.ts';

const IMAGES = 40;
const checks = new Checks();

function missing(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the reference is x64 Linux';
  for (const [tool, pack] of [
    ['qemu-aarch64-static', 'qemu-user-static'],
    ['mmdebstrap', 'mmdebstrap'],
  ] as const) {
    if (spawnSync(tool, ['--version']).error) return `${tool} is not installed (Debian package ${pack})`;
  }
  return null;
}

/** Golden cases and images on a machine, within the build's tolerance of what x64 computes. */
async function sameAsHere(here: Run, there: Run, build: Build): Promise<string> {
  const reference = golden(build);
  const inputs = new Float32Array([...reference.inputs, ...images(IMAGES)]);
  const [expected, got] = [await compute(here, build, inputs), await compute(there, build, inputs)];
  const seen = difference(reference.outputs, got.subarray(0, reference.outputs.length));
  if (!(seen.max <= reference.tolerance)) throw new Error(`golden outputs differ by ${seen.max}`);
  const all = difference(expected, got);
  const text = `at most ${all.max.toPrecision(3)} apart, ${all.differing} of ${all.of} values differ, one step is ${reference.tolerance.toPrecision(3)}`;
  if (!(all.max <= reference.tolerance)) throw new Error(text);
  return text;
}

async function armLane(scratch: string, here: Run): Promise<void> {
  const node = nodeBinary(root, 'arm64', labCache).file;
  for (const [core, profile] of [
    [cortexA53, 'arm64-neon'],
    [cortexA76, 'arm64-dotprod'],
  ] as const) {
    const machine = onArm(node, core);
    for (const recipe of ['float', 'int8'] as const) {
      await checks.check(
        `${core.cpu} (${core.standsFor}) computes the ${profile} ${recipe} build as x64 does`,
        async () => {
          const build = await buildSample(scratch, profile, recipe);
          if (build.kept !== recipe) throw new Error(`the builder kept ${build.kept}`);
          return sameAsHere(here, machine, build);
        },
      );
    }
  }
  await checks.check('with and without dot product the same build gives the same integers', async () => {
    const build = await buildSample(scratch, 'arm64-neon', 'int8');
    const rows = images(IMAGES);
    const [a53, a76] = [onArm(node, cortexA53), onArm(node, cortexA76)];
    const { max } = difference(await compute(a53, build, rows), await compute(a76, build, rows));
    if (max !== 0) throw new Error(`${max} apart`);
  });
  await checks.check(
    'the dot product kernels really run: they die on a core that only claims to have them',
    async () => {
      const build = await buildSample(scratch, 'arm64-dotprod', 'int8');
      const pretender = onArm(node, cortexA53, cortexA76);
      const died = await compute(pretender, build, images(1)).then(
        () => null,
        (error: Error) => error.message,
      );
      if (!died?.includes('SIGILL')) throw new Error(died ?? 'it computed');
    },
  );
  await checks.check('a build for ARM has no latency: it was not measured', async () => {
    const { report } = await buildSample(scratch, 'arm64-dotprod', 'int8');
    if (report.variant.latency !== null || report.speedup !== null)
      throw new Error('an x64 figure stands in the report');
  });
}

async function avx2Lane(scratch: string, here: Run): Promise<void> {
  const promise = 'an x64 processor without VNNI computes the x64-avx2 int8 build as this machine does';
  if (spawnSync('qemu-x86_64-static', ['--version']).error) {
    checks.skip(promise, 'qemu-x86_64-static is not installed (Debian package qemu-user-static)');
    return;
  }
  await checks.check(promise, async () => {
    const build = await buildSample(scratch, 'x64-avx2', 'int8');
    if (build.kept !== 'int8') throw new Error(`the builder kept ${build.kept}`);
    return sameAsHere(here, onHaswell(process.execPath), build);
  });
}

const reason = missing();
if (reason) checks.skip('the device laboratory', reason);
else {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-devices-'));
  try {
    const here = native(process.execPath);
    await checks.check('libraries of Debian for arm64 are at hand', () => {
      for (const core of [cortexA53, cortexA76]) armRoot(core);
    });
    await armLane(scratch, here);
    await avx2Lane(scratch, here);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
checks.finish();

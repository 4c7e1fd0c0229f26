/** Processors that this machine has not, by QEMU's user mode, with what a program would read in /proc/cpuinfo there. */
import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { debianRoot, labCache } from '../support/lab-cache.ts';

/** An ARM core. QEMU's HWCAP and the part number must agree: kernels are chosen by both. */
export interface ArmCore {
  readonly cpu: string;
  readonly part: string;
  readonly features: string;
  readonly standsFor: string;
}

const BASE = 'fp asimd evtstrm aes pmull sha1 sha2 crc32';

export const cortexA53: ArmCore = {
  cpu: 'cortex-a53',
  part: '0xd03',
  features: `${BASE} cpuid`,
  standsFor: 'i.MX8M, Raspberry Pi 3',
};

export const cortexA76: ArmCore = {
  cpu: 'cortex-a76',
  part: '0xd0b',
  features: `${BASE} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp`,
  standsFor: 'Raspberry Pi 5, RK3588',
};

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly signal: string | null;
  readonly code: number | null;
}

/** Runs a program with arguments; never throws for how it ended. */
export type Run = (args: readonly string[], timeoutMs?: number) => Promise<Outcome>;

const runner =
  (program: string, fixed: readonly string[]): Run =>
  (args, timeoutMs = 240_000) =>
    new Promise((resolve) => {
      const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 26 } as const;
      execFile(program, [...fixed, ...args], options, (error: ExecFileException | null, stdout, stderr) =>
        resolve({ stdout, stderr, signal: error?.signal ?? null, code: error ? Number(error.code ?? 1) : 0 }),
      );
    });

/** This machine itself. */
export const native = (node: string): Run => runner(node, []);

/** Node for arm64 on an ARM core. `cpuinfo` is another core's only where a test wants to see that it matters. */
export function onArm(node: string, core: ArmCore, cpuinfo: ArmCore = core): Run {
  return runner('qemu-aarch64-static', ['-cpu', core.cpu, '-L', armRoot(cpuinfo), node]);
}

/** This machine's own Node on an x64 processor of 2013: AVX2, and no integer dot product. */
export const onHaswell = (node: string): Run => runner('qemu-x86_64-static', ['-cpu', 'Haswell', node]);

/**
 * The file tree that a program on this core sees first: libraries of Debian for arm64 and the core's own /proc/cpuinfo.
 * Without it ONNX Runtime parses this machine's x86 cpuinfo, and crashes.
 */
export function armRoot(core: ArmCore): string {
  const libraries = debianRoot({
    name: 'arm64-libraries-1',
    mmdebstrap: ['--architectures=arm64', '--variant=extract', '--include=libc6,libstdc++6,libgcc-s1'],
  });
  const tree = path.join(labCache, `${core.cpu}-1`);
  mkdirSync(path.join(tree, 'proc'), { recursive: true });
  for (const folder of readdirSync(libraries).filter((name) => name === 'lib' || name === 'usr')) {
    const link = path.join(tree, folder);
    if (!existsSync(link)) symlinkSync(path.join(libraries, folder), link);
  }
  const processor = (index: number): string =>
    [
      `processor\t: ${index}`,
      'BogoMIPS\t: 108.00',
      `Features\t: ${core.features}`,
      'CPU implementer\t: 0x41',
      'CPU architecture: 8',
      'CPU variant\t: 0x4',
      `CPU part\t: ${core.part}`,
      'CPU revision\t: 1',
      '',
    ].join('\n');
  writeFileSync(path.join(tree, 'proc/cpuinfo'), [0, 1, 2, 3].map(processor).join('\n'));
  return tree;
}

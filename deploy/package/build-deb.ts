/**
 * Builds the agent's Debian package. Run by the pinned Node after a build:
 *   node deploy/package/build-deb.ts [--arch amd64|arm64] [--out DIR] [--release] [--version-suffix SUFFIX]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CodedError } from '@espalier/proto';
import { Command, Option } from 'commander';
import { bundleAgent } from './bundle.ts';
import { PackageToolMissing } from './errors.ts';
import { type Arch, nodeBinary } from './node-binary.ts';
import { bundleFolder, pack, stage } from './stage.ts';

const root = path.join(import.meta.dirname, '..', '..');

export interface DebOptions {
  readonly arch: 'amd64' | 'arm64';
  readonly outDir: string;
  /** xz, and symbols stripped from Node where a `strip` for the architecture is installed. */
  readonly release: boolean;
  /** Appended to the version of agent/package.json, as in `0.1.0+2`, so that an upgrade can be tried. */
  readonly versionSuffix: string;
  /** Where a Node for another architecture is kept. */
  readonly cacheDir: string;
}

/** Builds the package and returns its path. */
export async function buildDeb({ arch, outDir, release, versionSuffix, cacheDir }: DebOptions): Promise<string> {
  if (spawnSync('dpkg-deb', ['--version']).error) throw PackageToolMissing({ tool: 'dpkg-deb' });
  const nodeArch: Arch = arch === 'amd64' ? 'x64' : 'arm64';
  const agent = path.join(root, 'agent');
  const { version } = JSON.parse(readFileSync(path.join(agent, 'package.json'), 'utf8')) as { version: string };
  const full = versionSuffix ? `${version}+${versionSuffix}` : version;
  const tree = mkdtempSync(path.join(os.tmpdir(), 'espalier-deb-'));
  try {
    await bundleAgent(agent, bundleFolder(tree));
    const node = nodeBinary(root, nodeArch, cacheDir);
    stage({ root, tree, arch: nodeArch, node, version: full });
    if (release) strip(path.join(tree, 'usr/lib/espalier-agent/node'), nodeArch);
    mkdirSync(outDir, { recursive: true });
    const file = path.join(outDir, `espalier-agent_${full}_${arch}.deb`);
    pack(tree, file, release ? 'xz' : 'zstd');
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** Saves about 19 MB on the device. Without the tool the package is only bigger. */
function strip(file: string, arch: Arch): void {
  const own = process.arch === arch;
  const tool = own ? 'strip' : `${arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu-strip`;
  const { error } = spawnSync(tool, [file], { stdio: 'inherit' });
  if (error) process.stderr.write(`${tool} is not installed: Node keeps its symbols.\n`);
}

async function main(): Promise<void> {
  const machine = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const command = new Command('build-deb')
    .description('Builds the Debian package of the agent and prints its path.')
    .addOption(new Option('--arch <arch>', 'architecture of the device').choices(['amd64', 'arm64']).default(machine))
    .option('--out <dir>', 'where to put the package', path.join(root, '.cache', 'packages'))
    .option('--release', 'compress with xz, which every supported dpkg reads', false)
    .option('--version-suffix <suffix>', 'append +SUFFIX to the version', '')
    .parse();
  const { arch, out, release, versionSuffix } = command.opts<{
    arch: 'amd64' | 'arm64';
    out: string;
    release: boolean;
    versionSuffix: string;
  }>();
  const cacheDir = path.join(root, '.cache', 'node');
  const file = await buildDeb({ arch, outDir: path.resolve(out), release, versionSuffix, cacheDir });
  process.stderr.write(`${(statSync(file).size / 1e6).toFixed(1)} MB\n`);
  process.stdout.write(`${file}\n`);
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    const text = error instanceof CodedError ? `${error.code}: ${error.message}\n  ${error.action}` : String(error);
    process.stderr.write(`${text}\n`);
    process.exitCode = 1;
  });
}

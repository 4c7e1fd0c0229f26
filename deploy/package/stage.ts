import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { GlibcTooOld } from './errors.ts';
import type { Arch, NodeBinary } from './node-binary.ts';

/** The oldest glibc that the pinned Node and ONNX Runtime start on: the highest GLIBC_ symbol that either imports. */
const GLIBC_FLOOR = '2.28';
const here = import.meta.dirname;
const LIB = 'usr/lib/espalier-agent';

export interface Staging {
  /** The checkout. */
  readonly root: string;
  /** Folder that becomes the package's file tree. */
  readonly tree: string;
  readonly arch: Arch;
  readonly node: NodeBinary;
  readonly version: string;
}

/** Everything but the bundle, which is expected in {@link bundleFolder}: runtime, unit, configuration, scripts. */
export function stage(staging: Staging): void {
  const { root, tree, node, version } = staging;
  const at = (file: string): string => {
    const target = path.join(tree, file);
    mkdirSync(path.dirname(target), { recursive: true });
    return target;
  };
  cpSync(node.file, at(`${LIB}/node`));
  const agent = JSON.parse(readFileSync(path.join(root, 'agent/package.json'), 'utf8')) as Record<string, unknown>;
  const manifest = { name: agent.name, version, type: 'module', private: true };
  writeFileSync(at(`${LIB}/package.json`), `${JSON.stringify(manifest, null, 2)}\n`);
  stageRuntime(staging);

  cpSync(path.join(here, 'espalier-agent.sh'), at('usr/bin/espalier-agent'));
  cpSync(path.join(here, '../systemd/espalier-agent.service'), at('usr/lib/systemd/system/espalier-agent.service'));
  cpSync(path.join(here, 'debian/sysusers.conf'), at('usr/lib/sysusers.d/espalier-agent.conf'));
  cpSync(path.join(here, 'agent.yaml'), at('etc/espalier/agent.yaml'));
  const licenses = [path.join(root, 'LICENSE'), node.license].map((file) => readFileSync(file, 'utf8'));
  const copyright = `Espalier agent\n\n${licenses[0]}\n\nNode.js, in ${LIB}/node\n\n${licenses[1]}\n\nONNX Runtime: MIT, https://github.com/microsoft/onnxruntime\n`;
  writeFileSync(at('usr/share/doc/espalier-agent/copyright'), copyright);
  setModes(tree);
  writeControl(staging, at);
}

export const bundleFolder = (tree: string): string => path.join(tree, LIB, 'dist');

/** ONNX Runtime's binding for one platform out of six, and the pure JavaScript part that it needs. */
function stageRuntime({ root, tree, arch }: Staging): void {
  const modules = path.join(tree, LIB, 'node_modules');
  const copy = (part: string): void =>
    cpSync(path.join(root, 'node_modules', part), path.join(modules, part), { recursive: true });
  for (const part of ['dist', 'package.json', `bin/napi-v6/linux/${arch}`]) copy(`onnxruntime-node/${part}`);
  for (const part of ['dist/cjs', 'package.json']) copy(`onnxruntime-common/${part}`);
  for (const file of files(modules)) if (/\.(map|d\.ts)$/.test(file)) rmSync(file);
}

function* files(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) yield path.join(entry.parentPath, entry.name);
  }
}

/** Modes of the package do not depend on the umask of whoever builds it. */
function setModes(tree: string): void {
  const programs = new Set([`${LIB}/node`, 'usr/bin/espalier-agent'].map((file) => path.join(tree, file)));
  chmodSync(tree, 0o755);
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    chmodSync(file, entry.isDirectory() || programs.has(file) ? 0o755 : 0o644);
  }
}

function writeControl({ root, tree, arch, version, node }: Staging, at: (file: string) => string): void {
  const runtime = path.join(root, 'node_modules/onnxruntime-node/package.json');
  const tooOld = GlibcTooOld({ found: '$found', floor: GLIBC_FLOOR });
  const values: Readonly<Record<string, string>> = {
    VERSION: version,
    ARCH: arch === 'x64' ? 'amd64' : 'arm64',
    GLIBC: GLIBC_FLOOR,
    GLIBC_CODE: tooOld.code,
    GLIBC_MESSAGE: tooOld.message,
    GLIBC_ACTION: tooOld.action,
    SIZE_KIB: String(Math.ceil([...files(tree)].reduce((sum, file) => sum + statSync(file).size, 0) / 1024)),
    NODE: node.version,
    ORT: (JSON.parse(readFileSync(runtime, 'utf8')) as { version: string }).version,
  };
  for (const name of ['control', 'preinst', 'postinst', 'prerm', 'postrm']) {
    const text = readFileSync(path.join(here, 'debian', name), 'utf8').replace(
      /@([A-Z_]+)@/g,
      (whole, key: string) => values[key] ?? whole,
    );
    writeFileSync(at(`DEBIAN/${name}`), text);
    chmodSync(path.join(tree, 'DEBIAN', name), name === 'control' ? 0o644 : 0o755);
  }
  writeFileSync(at('DEBIAN/conffiles'), '/etc/espalier/agent.yaml\n');
  chmodSync(path.join(tree, 'DEBIAN'), 0o755);
}

/** Packs the tree. zstd is quick and for tests; dpkg of Debian 11 reads xz only, so releases use that. */
export function pack(tree: string, file: string, compression: 'zstd' | 'xz'): void {
  execFileSync('dpkg-deb', [`-Z${compression}`, '--root-owner-group', '--build', tree, file], { stdio: 'pipe' });
}

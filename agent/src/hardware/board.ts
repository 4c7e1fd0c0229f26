/** What board this is: device tree, DMI, operating system, container, identity, accelerators. */
import { createHash } from 'node:crypto';
import type { Facts } from '@espalier/proto';
import type { FactRoot } from './root.js';

const TREES = ['proc/device-tree', 'sys/firmware/devicetree/base'];

/** Identifies without telling: serial numbers and machine ids leave the device as hashes only. */
const hashed = (text: string | null): string | null =>
  text ? createHash('sha256').update(`espalier:${text}`).digest('hex').slice(0, 32) : null;

export function readBoard(root: FactRoot): Facts['board'] {
  const tree = TREES.find((folder) => root.has(`${folder}/compatible`));
  if (!tree) {
    const names = ['sys_vendor', 'product_name'].map((name) => root.read(`sys/class/dmi/id/${name}`, 'board.model'));
    return { model: names.filter(Boolean).join(' ') || null, compatible: [], serialHash: null };
  }
  return {
    model: root.strings(`${tree}/model`, 'board.model')[0] ?? null,
    compatible: root.strings(`${tree}/compatible`, 'board.compatible'),
    serialHash: hashed(root.strings(`${tree}/serial-number`)[0] ?? null),
  };
}

/** Vendors whose last `compatible` entry names the SoC; `model` is no source, its text changes between releases. */
const SOC = /^(nvidia,tegra\d+|brcm,bcm\d+|rockchip,rk\w+|fsl,imx\w+|qcom,\w+|ti,\w+|amlogic,\w+|mediatek,mt\w+)$/;

/** `compatible` goes from the board to the SoC, so the last entry that looks like one is it. */
export const readSoc = (compatible: readonly string[]): string | null =>
  compatible.findLast((entry) => SOC.test(entry)) ?? null;

export function readOs(root: FactRoot): Facts['os'] {
  const release = new Map(
    (root.read('etc/os-release', 'os.id') ?? '').split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).replaceAll('"', '')] as const;
    }),
  );
  const kernel = root.read('proc/sys/kernel/osrelease', 'os.kernel');
  return { id: release.get('ID') ?? null, version: release.get('VERSION_ID') ?? null, kernel };
}

export function readContainer(root: FactRoot): string | null {
  const named = root.read('run/systemd/container', 'container');
  if (named) return named;
  if (root.has('.dockerenv')) return 'docker';
  return root.has('run/.containerenv') ? 'podman' : null;
}

export const readIdentity = (root: FactRoot): Pick<Facts, 'machineIdHash' | 'bootId'> => ({
  machineIdHash: hashed(root.read('etc/machine-id', 'machineIdHash')),
  bootId: root.read('proc/sys/kernel/random/boot_id', 'bootId'),
});

/** Presence only: opening a device needs rights that the agent does not have and does not need. */
const NODES: readonly [file: string, kind: string, name: string][] = [
  ['dev/galcore', 'npu', 'vsi'],
  ['dev/ethosu0', 'npu', 'ethos-u'],
  ['dev/fastrpc-cdsp', 'npu', 'qualcomm-htp'],
  ['dev/hailo0', 'npu', 'hailo'],
  ['dev/apex_0', 'npu', 'coral-edgetpu'],
];

export function readAccelerators(root: FactRoot): Facts['accelerators'] {
  const found: Facts['accelerators'] = [];
  for (const [file, kind, name] of NODES) {
    if (!root.has(file)) continue;
    root.sources[`accelerators.${name}`] = file;
    found.push({ kind, name, version: null });
  }
  const gpu = root.list('sys/class/devfreq').find((name) => /gv11b|gp10b|ga10b|gb10b|\.gpu$/.test(name));
  if (gpu) found.push({ kind: 'gpu', name: 'nvidia-jetson', version: readJetpack(root) });
  const rknpu = root.list('sys/class/devfreq').find((name) => name.endsWith('.npu'));
  if (rknpu) found.push({ kind: 'npu', name: 'rknpu', version: null });
  return found;
}

/** `# R36 (release), REVISION: 4.3, ...` -> 36.4.3. */
function readJetpack(root: FactRoot): string | null {
  const match = /# R(\d+) \(release\), REVISION: ([\d.]+)/.exec(
    root.read('etc/nv_tegra_release', 'accelerators.nvidia-jetson') ?? '',
  );
  return match ? `${match[1]}.${match[2]}` : null;
}

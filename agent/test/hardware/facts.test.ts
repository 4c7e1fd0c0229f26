/** Facts below the roots of other machines. The roots are synthetic, as their PROVENANCE.md says. */
import path from 'node:path';
import { readFacts } from '@espalier/agent/hardware/facts';
import { Facts } from '@espalier/proto';
import t from 'tap';

const read = (name: string): Facts => readFacts(path.join(import.meta.dirname, 'fixtures', name));

for (const [name, expected] of [
  [
    'pi5',
    {
      ...{ arch: 'arm64', hostname: 'pi5', soc: 'brcm,bcm2712', accelerators: [] },
      board: { model: 'Raspberry Pi 5 Model B Rev 1.0', compatible: ['raspberrypi,5-model-b', 'brcm,bcm2712'] },
      cpu: { implementer: '0x41', parts: ['0xd0b'], cores: 4, clusters: [{ cpus: [0, 1, 2, 3], maxMhz: 2400 }] },
      ...{ memory: { totalBytes: 8062 * 2 ** 20, pageSize: null }, os: { id: 'debian', version: '12' } },
    },
  ],
  ['pi4', { soc: 'brcm,bcm2711', cpu: { parts: ['0xd08'], features: ['fp', 'asimd', 'evtstrm', 'crc32', 'cpuid'] } }],
  [
    'orin-nano',
    {
      ...{ soc: 'nvidia,tegra234', cpu: { parts: ['0xd42'], cores: 6 } },
      accelerators: [{ kind: 'gpu', name: 'nvidia-jetson', version: '36.4.7' }],
    },
  ],
  [
    'rk3588',
    {
      soc: 'rockchip,rk3588',
      cpu: {
        parts: ['0xd05', '0xd0b'],
        clusters: [
          { cpus: [0, 1, 2, 3], maxMhz: 1800, capacity: 414 },
          { cpus: [4, 5, 6, 7], maxMhz: 2400, capacity: 1024 },
        ],
      },
      accelerators: [{ kind: 'npu', name: 'rknpu' }],
    },
  ],
  [
    'x86-avx2',
    { arch: 'x64', soc: null, board: { model: 'Example Gateway 3000', compatible: [] }, cpu: { quotaCpus: null } },
  ],
  ['x86-vnni', { arch: 'x64', cpu: { quotaCpus: 1.5 }, memory: { limitBytes: 536_870_912 } }],
] as const) {
  t.test(name, async (t) => {
    const facts = read(name);
    t.ok(Facts.safeParse(facts).success, 'is what the contract says');
    t.match(facts, expected);
  });
}

t.test('features that decide a profile are there, from all cores', async (t) => {
  t.ok(read('pi5').cpu.features.includes('asimddp'));
  t.notOk(read('pi4').cpu.features.includes('asimddp'));
  t.ok(read('x86-vnni').cpu.features.includes('avx512_vnni'));
});

t.test('serial numbers and machine ids leave the device as hashes only', async (t) => {
  const facts = read('pi5');
  t.match(facts, { board: { serialHash: /^[0-9a-f]{32}$/ }, machineIdHash: /^[0-9a-f]{32}$/ });
  t.notMatch(JSON.stringify(facts), /10000000deadbeef|0123456789abcdef0123/);
});

t.test('an empty root gives unknowns, and no error', async (t) => {
  const facts = read('nothing-here');
  t.ok(Facts.safeParse(facts).success);
  t.match(facts, { board: { model: null, compatible: [] }, soc: null, memory: { totalBytes: null }, bootId: null });
});

import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { readLocalFacts } from '@espalier/compression/hardware/local-facts';
import { fits, type MatchFacts, matchProfile, unservedProfiles } from '@espalier/compression/hardware/match';
import t from 'tap';

const profiles = await loadProfiles();

const facts = (arch: 'x64' | 'arm64', features: string, compatible: string[] = []): MatchFacts => ({
  arch,
  cpu: { features: features.split(' ') },
  board: { compatible },
});

for (const [machine, given, profile] of [
  ['an old x64 CPU', facts('x64', 'sse4_2'), 'x64'],
  ['a Haswell', facts('x64', 'sse4_2 avx2'), 'x64-avx2'],
  ['an Alder Lake', facts('x64', 'avx2 avx_vnni'), 'x64-avx-vnni'],
  ['a Skylake-SP', facts('x64', 'avx2 avx512f avx512bw avx512dq avx512vl'), 'x64-avx512'],
  ['an Ice Lake with all its flags', facts('x64', 'avx2 avx512f avx512bw avx512vl avx512_vnni'), 'x64-avx512-vnni'],
  ['an Ice Lake', facts('x64', 'avx2 avx512f avx512_vnni'), 'x64-avx512-vnni'],
  ['a Sapphire Rapids, which has both', facts('x64', 'avx2 avx_vnni avx512f avx512_vnni'), 'x64-avx512-vnni'],
  ['an i.MX8M', facts('arm64', 'fp asimd'), 'arm64-neon'],
  ['an RK3588', facts('arm64', 'fp asimd asimddp'), 'arm64-dotprod'],
  ['a Graviton 3', facts('arm64', 'fp asimd asimddp sve i8mm bf16'), 'arm64-i8mm'],
  ['a Raspberry Pi 4', facts('arm64', 'fp asimd', ['raspberrypi,4-model-b', 'brcm,bcm2711']), 'rpi4'],
  ['a Raspberry Pi 5', facts('arm64', 'fp asimd asimddp', ['raspberrypi,5-model-b', 'brcm,bcm2712']), 'rpi5'],
] as const) {
  t.test(`${machine} gets ${profile}, and every fact that matched is named`, async (t) => {
    const found = matchProfile(given, profiles)!;
    t.equal(found.profile.id, profile);
    t.equal(found.matched[0], `arch ${given.arch}`);
    for (const feature of found.profile.match.features) t.ok(found.matched.includes(`cpu feature ${feature}`));
  });
}

t.test('nothing fits a machine when no profile is for its architecture', async (t) => {
  const only = profiles.filter((profile) => profile.match.arch === 'arm64');
  t.equal(matchProfile(facts('x64', 'avx2'), only), null);
  t.equal(fits(facts('arm64', 'asimd'), profileById('arm64-dotprod', profiles)), null);
});

/** Boards with an accelerator: [features, compatible, accelerator, runtime, profile with it, profile without]. */
const BOARDS: readonly [board: string, string, string[], string | null, string, string, string][] = [
  ['Jetson Nano', 'fp asimd', ['nvidia,jetson-nano', 'nvidia,tegra210'], null, 'tensorrt', 'jetson-nano', 'arm64-neon'],
  ['Jetson TX2', 'fp asimd', ['nvidia,p2771-0000', 'nvidia,tegra186'], null, 'tensorrt', 'jetson-tx2', 'arm64-neon'],
  [
    'AGX Xavier',
    'fp asimd atomics',
    ['nvidia,jetson-xavier', 'nvidia,tegra194'],
    null,
    'tensorrt',
    'jetson-xavier',
    'arm64-neon',
  ],
  ['Orin Nano', 'asimd asimddp', ['nvidia,tegra234'], 'nvidia-jetson', 'tensorrt', 'jetson-orin', 'arm64-dotprod'],
  ['Thor', 'asimd asimddp i8mm', ['nvidia,tegra264'], null, 'tensorrt', 'jetson-thor', 'arm64-i8mm'],
  ['ROCK 5B', 'asimd asimddp', ['radxa,rock-5b', 'rockchip,rk3588'], 'rknpu', 'rknn', 'rk3588', 'arm64-dotprod'],
  ['ROCK 5A', 'asimd asimddp', ['radxa,rock-5a', 'rockchip,rk3588s'], 'rknpu', 'rknn', 'rk3588', 'arm64-dotprod'],
  ['Quartz64', 'asimd asimddp', ['rockchip,rk3566'], 'rknpu', 'rknn', 'rk3566', 'arm64-dotprod'],
  ['i.MX8MP EVK', 'fp asimd', ['fsl,imx8mp-evk', 'fsl,imx8mp'], 'vsi', 'vsi', 'imx8mp', 'arm64-neon'],
  ['i.MX93 EVK', 'asimd asimddp', ['fsl,imx93'], 'ethos-u', 'ethos-u', 'ethos-u65', 'arm64-dotprod'],
  ['RB3gen2', 'asimd asimddp', ['qcom,qcm6490'], 'qualcomm-htp', 'qnn', 'qualcomm-htp', 'arm64-dotprod'],
  ['Pi 5 with Hailo', 'asimd asimddp', ['raspberrypi,5-model-b'], 'hailo', 'hailo', 'hailo-8', 'rpi5'],
  ['Pi 4 with Coral', 'fp asimd', ['raspberrypi,4-model-b'], 'coral-edgetpu', 'edgetpu', 'edge-tpu', 'rpi4'],
];

for (const [board, features, compatible, accelerator, runtime, served, plain] of BOARDS) {
  t.test(`${board} gets ${served} when it can serve it, and ${plain} until then`, async (t) => {
    const bare = {
      ...facts('arm64', features, compatible),
      accelerators: accelerator ? [{ name: accelerator }] : [],
      runtimes: [{ adapter: 'onnxruntime' }],
    };
    t.equal(matchProfile(bare, profiles)!.profile.id, plain);
    const waiting = unservedProfiles(bare, profiles).map(({ profile, runtime: missing }) => [profile.id, missing]);
    t.strictSame(waiting, [[served, runtime]]);
    const equipped = { ...bare, runtimes: [...bare.runtimes, { adapter: runtime }] };
    const found = matchProfile(equipped, profiles)!;
    t.equal(found.profile.id, served);
    t.ok(found.matched.includes(`runtime ${runtime}`));
    t.strictSame(unservedProfiles(equipped, profiles), []);
  });
}

t.test('a profile without a condition is chosen by name only', async (t) => {
  for (const id of ['npu', 'tensorrt', 'rv1106', 'ethos-u55', 'jetson-orin-dla', 'xnnpack']) {
    t.equal(fits(facts('arm64', 'asimd asimddp'), profileById(id, profiles)), null, id);
  }
});

t.test('only x64 without VNNI keeps 16-bit sums safe', async (t) => {
  t.strictSame(
    profiles.filter((profile) => profile.scheme.pairSafe).map((profile) => profile.id),
    ['x64', 'x64-avx2', 'x64-avx512'],
  );
});

t.test('a board takes its kernel rules from the instruction set it extends', async (t) => {
  const board = profileById('rpi5', profiles);
  t.strictSame(board.alignment, profileById('arm64-dotprod', profiles).alignment);
  t.ok(board.memory.totalBytes! > 0);
});

t.test('a folder of the user’s adds profiles, and a broken one is refused with file and field', async (t) => {
  const good = t.testdir({
    'mine.yaml': 'id: mine\nextends: x64-avx2\ntitle: Mine\nmatch: { features: [avx2, sse4a] }\n',
  });
  t.equal(profileById('mine', await loadProfiles([good])).scheme.pairSafe, true);
  const npu = t.testdir({
    'npu.yaml':
      'id: my-npu\nextends: ethos-u85\ntitle: Mine\ncompiler: { arguments: ["{model}", --accelerator-config, ethos-u85-1024] }\noracle: { target: ethos-u85-1024 }\n',
  });
  const mine = profileById('my-npu', await loadProfiles([npu]));
  t.match(mine, { outputs: ['tflite', 'onnx'], compiler: { tool: 'vela' }, oracle: { target: 'ethos-u85-1024' } });
  for (const [text, why] of [
    ['id: bad\nextends: nothing\ntitle: Bad\n', /extends nothing/],
    ['id: bad\nextends: bad\ntitle: Bad\n', /extends itself/],
    ['id: bad\nextends: x64\ntitle: Bad\nscheme: { perChanel: true }\n', /scheme/],
    ['id: bad\nextends: npu\ntitle: Bad\nscheme: { symmetric: true }\n', /fusion\.absorb must be empty/],
    ['id: bad\nextends: x64\ntitle: Bad\noutputs: [tflite]\n', /tflite needs int8/],
    ['id: bad\nextends: x64\ntitle: Bad\nplacement: { residual: [Add] }\n', /only weighted-inputs/],
    ['id: bad\nextends: x64\ntitle: Bad\nevidence: { scheme: { kind: rumour, text: x } }\n', /evidence/],
    ['title: no id\n', /no id/],
    ['id: [', /bad\.yaml/],
  ] as const) {
    const dir = t.testdir({ 'bad.yaml': text });
    await t.rejects(loadProfiles([dir]), { code: 'ESP_PROFILE_INVALID', message: why });
  }
  t.throws(() => profileById('gpu', profiles), { code: 'ESP_PROFILE_UNKNOWN', action: /x64-avx2/ });
});

t.test('facts are read below a given root', async (t) => {
  const root = t.testdir({
    proc: {
      cpuinfo: 'processor\t: 0\nFeatures\t: fp asimd asimddp\n',
      'device-tree': { compatible: 'raspberrypi,5-model-b\0brcm,bcm2712\0' },
    },
  });
  const found = await readLocalFacts(root, 'arm64');
  t.equal(matchProfile(found, profiles)!.profile.id, 'rpi5');
  t.strictSame((await readLocalFacts(t.testdir({}), 'x64')).cpu.features, []);
});

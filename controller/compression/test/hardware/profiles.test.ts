import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { readLocalFacts } from '@espalier/compression/hardware/local-facts';
import { fits, type MatchFacts, matchProfile } from '@espalier/compression/hardware/match';
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
  ['an Ice Lake', facts('x64', 'avx2 avx512f avx512_vnni'), 'x64-avx512-vnni'],
  ['a Sapphire Rapids, which has both', facts('x64', 'avx2 avx_vnni avx512f avx512_vnni'), 'x64-avx512-vnni'],
  ['an i.MX8M', facts('arm64', 'fp asimd'), 'arm64-neon'],
  ['an RK3588', facts('arm64', 'fp asimd asimddp'), 'arm64-dotprod'],
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

t.test('every profile gives evidence, and only x64 without VNNI keeps 16-bit sums safe', async (t) => {
  for (const { id, evidence } of profiles) t.ok(Object.keys(evidence).length > 0, id);
  t.strictSame(
    profiles.filter((profile) => profile.scheme.pairSafe).map((profile) => profile.id),
    ['x64', 'x64-avx2'],
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
  for (const [text, why] of [
    ['id: bad\nextends: nothing\ntitle: Bad\n', /extends nothing/],
    ['id: bad\nextends: bad\ntitle: Bad\n', /extends itself/],
    ['id: bad\nextends: x64\ntitle: Bad\nscheme: { perChanel: true }\n', /scheme/],
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

/** The small decisions of the pages, as tables. */
import t from 'tap';
import { switchMarks } from '../src/charts/marks.ts';
import { proposePreprocess } from '../src/pages/model/propose-preprocess.ts';
import { defaultGroups, withGroup } from '../src/pages/new-rollout/plan.ts';
import { possibleCommands } from '../src/pages/rollout/commands.ts';
import { filterLayers } from '../src/pages/variant/filter-layers.ts';

for (const [name, state, succeeded, commands] of [
  [
    'a running rollout that reached a device can be paused, rolled back and stopped',
    'RUNNING',
    1,
    ['pause', 'rollback', 'stop'],
  ],
  ['one that reached none has nothing to roll back', 'RUNNING', 0, ['pause', 'stop']],
  ['a paused one can go on', 'PAUSED', 1, ['resume', 'rollback', 'stop']],
  ['a finished one can only be rolled back', 'FINISHED', 1, ['rollback']],
  ['one that is rolling back offers nothing', 'ROLLING_BACK', 1, []],
  ['one that was rolled back offers nothing', 'ROLLED_BACK', 1, []],
] as const) {
  t.test(name, async (t) => t.strictSame(possibleCommands({ state, succeeded, inFlight: 0 }), commands));
}

t.test('an added group comes before the last, which takes the rest', async (t) => {
  const names = withGroup(defaultGroups).map((group) => group.name);
  t.strictSame(names, ['canary', '25%', 'group 3', 'all']);
  t.equal(withGroup(defaultGroups)[2]?.percent, 50, 'twice the share before it');
});

t.test('the chart has one mark for each run of one build, named by its method', async (t) => {
  const window = (second: number, digest: string, method: string | null) => ({
    at: `2026-01-01T00:00:0${second}.000Z`,
    digest,
    method,
  });
  const rows = [
    window(0, 'a', 'float'),
    window(1, 'a', 'float'),
    window(2, 'b'.repeat(64), null),
    window(3, 'a', 'float'),
  ];
  t.strictSame(
    switchMarks(rows).map((mark) => mark.label),
    ['float', 'bbbbbbbb', 'float'],
  );
});

t.test(
  'the layers that were meant to be int8 show the reason, also when the report lists no node for them',
  async (t) => {
    const nodes = [
      { name: '/a', op: 'Conv', precision: 'int8', share: null, reason: null },
      { name: '/b', op: 'Softmax', precision: 'float32', share: 0.1, reason: null },
    ];
    const floatNodes = [
      { node: '/b', op: 'Softmax', reason: 'no int8 kernel' },
      { node: '/c', op: 'Resize', reason: 'feeds the output' },
    ];
    t.strictSame(
      filterLayers(nodes, floatNodes, 'float').map(({ name, reason, share }) => [name, reason, share]),
      [
        ['/b', 'no int8 kernel', 0.1],
        ['/c', 'feeds the output', null],
      ],
    );
    t.strictSame(
      filterLayers(nodes, floatNodes, 'int8').map(({ name }) => name),
      ['/a'],
    );
    t.equal(filterLayers(nodes, floatNodes, 'all').length, 2);
  },
);

t.test('the proposed preprocessing follows the shape of the image input, and is none without one', async (t) => {
  const propose = (...shape: (number | string)[]) => proposePreprocess([{ name: 'x', type: 'float32', shape }]);
  const nchw = propose('N', 3, 224, 200);
  t.match(nchw, { layout: 'NCHW', color: 'RGB', resize: { height: 224, width: 200 }, mean: [0, 0, 0], std: [1, 1, 1] });
  t.match(propose(1, 28, 28, 1), { layout: 'NHWC', color: 'GRAY', resize: { height: 28, width: 28 } });
  t.equal(propose('N', 3, 'H', 'W')?.resize, null, 'a size that varies is not resized to');
  t.equal(propose('N', 16), null);
});

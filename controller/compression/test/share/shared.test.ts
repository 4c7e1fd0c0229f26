/** Work that builds have in common. */
import { inCompany } from '@espalier/compression/share/shared';
import t from 'tap';
import { noise, type TinyModel, tinyGraph } from '../support/tiny.ts';

const net: TinyModel = {
  inputs: { x: ['N', 3, 4, 4] },
  outputs: ['b'],
  constants: { w: noise([4, 3, 1, 1], 1) },
  nodes: [
    ['Conv', ['x', 'w'], ['a']],
    ['Relu', ['a'], ['b']],
  ],
};

t.test('what fails is tried again by the next, and another input is another result', async (t) => {
  const shared = inCompany();
  await t.rejects(
    shared.once('x', [1], async () => Promise.reject(new Error('out of disk'))),
    /out of disk/,
  );
  t.equal(await shared.once('x', [1], async () => 'made'), 'made');
  t.equal(await shared.once('x', [1], async () => 'again'), 'made');
  t.equal(await shared.once('x', [2], async () => 'other'), 'other');
});

t.test('graphs are told apart by what is in them', async (t) => {
  const shared = inCompany();
  const named = (graph: object, name: string) => shared.once('x', [graph], async () => name);
  t.equal(await named(tinyGraph(net), 'first'), 'first');
  t.equal(await named(tinyGraph(net), 'second'), 'first', 'the same content');
  t.equal(await named(tinyGraph({ ...net, outputs: ['a'] }), 'third'), 'third');
});

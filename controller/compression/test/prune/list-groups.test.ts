import { listGroups } from '@espalier/compression';
import t from 'tap';
import { sample } from '../support/sample.ts';

t.test('the groups of the sample: inner ones, those that a shortcut ties, and what must stay', async (t) => {
  const { groups, frozen } = await listGroups(sample.model);
  const inner = groups.find(({ group }) => group === 'block2.expand.conv');
  t.match(inner, { channels: 128, tied: false, consumers: ['block2.project.conv'] });
  t.ok(
    groups.some(({ tied, producers }) => tied && producers.length > 1),
    'the residual stream goes as one',
  );
  t.match(frozen, [{ node: 'classifier', channels: 10, reason: /is an output of the model/ }]);
});

t.test('a broken file is refused by its code', async (t) => {
  await t.rejects(listGroups('package.json'), { code: /^ESP_/ });
});

import t from 'tap';
import { nets } from './nets.ts';
import { pruneDeadHalf } from './oracle.ts';

for (const net of nets) {
  t.test(net.name, async (t) => {
    const { missed, difference, macsLeft, isNarrower } = await pruneDeadHalf(net);
    t.same(missed, [], 'every group is found');
    t.ok(difference < 1e-5, 'the outputs are as they were');
    t.ok(macsLeft < 0.8, `${macsLeft} of the multiply-accumulates are left`);
    t.ok(isNarrower, 'every group lost channels');
  });
}

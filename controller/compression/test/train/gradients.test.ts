import { probeBlock } from '@espalier/compression/train/layout';
import t from 'tap';
import { NETS } from './nets.ts';
import { gradientErrors } from './oracle.ts';

const TOLERANCE = 1e-4;

const block = await probeBlock();
t.comment(`the blocked layout of this machine has ${block} channels`);

for (const net of NETS) {
  t.test(`the gradients of ${net.name}`, async (t) => {
    const { loss, gradient, layout } = await gradientErrors(net, block);
    t.ok(loss < TOLERANCE, 'the loss is that of float64');
    t.ok(gradient < TOLERANCE, `by float64: ${gradient.toExponential(1)}`);
    t.ok(layout < TOLERANCE, `the plain layout gives the same: ${layout.toExponential(1)}`);
  });
}

import t from 'tap';
import { spreadOf, verdictOf } from './verdict.ts';

const verdict = (effects: number[], claimed: number) => verdictOf(spreadOf(effects), claimed);

t.test('a claim is judged by its mean and by its worst seed', (t) => {
  t.equal(verdict([0.6, 0.7, 0.4], 0.5), 'reproduced');
  t.equal(verdict([0.2, 0.3, 0.1], 0.5), 'only when', 'an effect in every seed, and less than claimed');
  t.equal(verdict([2, 2, -0.1], 0.5), 'refuted', 'one seed shows nothing');
  t.equal(verdict([-1, -2, -3], 0.5), 'refuted');
  t.equal(verdict([-0.2, 0.1, -0.3], -0.3), 'reproduced', 'at most so much is lost');
  t.equal(verdict([-3, -0.1, -0.2], -0.3), 'refuted');
  t.end();
});

/** When threads stay awake: for one client with short runs and a CPU to spare, and for nobody else. */
import { Vigilance } from '@espalier/agent/runtime/vigilance';
import t from 'tap';

const single = { spareCpus: 1, isAlone: true, runMs: 0.7 };
const asleep = { stayMs: 0, lookMs: 0 };

t.test('one client after another run is watched for', async (t) => {
  const vigilance = new Vigilance();
  t.strictSame(vigilance.at(single), { stayMs: 1, lookMs: 1.4 });
  t.strictSame(vigilance.at({ ...single, runMs: 30 }), { stayMs: 1, lookMs: 0 }, 'a long run is not looked for');
  t.strictSame(vigilance.at({ ...single, spareCpus: 0 }), asleep, 'no CPU is taken from the runs themselves');
});

t.test('company puts them to sleep until it has been gone for a while', async (t) => {
  const vigilance = new Vigilance();
  for (let at = 0; at < 20; at++)
    t.strictSame(vigilance.at({ ...single, isAlone: at % 2 === 0 && at === 0 }).lookMs, at === 0 ? 1.4 : 0);
  t.strictSame(vigilance.at(single), asleep);
  let runs = 0;
  while (vigilance.at(single).lookMs === 0) runs++;
  t.ok(runs > 20 && runs < 100, `${runs} runs alone`);
});

/** What must never happen, in 10,000 simulated device-days. */
import { simulate } from '../../../controller/server/test/sim/world.ts';
import type { LoopBench } from './row.ts';

const SEED = 1;
const [WORLDS, DEVICES, DAYS] = [100, 10, 10];

export const simulated: LoopBench = {
  ids: ['false-triggers', 'oscillations'],
  async measure() {
    const { total, failed } = simulate(SEED, WORLDS, DEVICES, DAYS);
    const { deviceDays: n, proposals, rollouts, kills } = total;
    const note = `${proposals} proposals, ${rollouts} rollouts, ${kills} controllers killed; failed seeds: ${failed.join() || 'none'}`;
    const common = { unit: 'in all', bar: '0', n, seed: SEED, note };
    return [
      { id: 'false-triggers', value: total.falseTriggers, ...common },
      { id: 'oscillations', value: total.oscillations, ...common },
    ];
  },
};

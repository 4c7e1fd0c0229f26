/** int8 weights with activations of 16 bits: for accelerators that multiply 8 by 16, where 8 bits lose too much. */
import type { HardwareProfile } from '../hardware/profile.js';
import { WIDE } from '../quantize/activation-params.js';
import { finer } from '../quantize/fixed-range.js';

const finerPair = ([from, to]: [number, number]): [number, number] => {
  const { min, max } = finer({ min: from, max: to });
  return [min, max];
};

/** A profile that asks for 16-bit activations where it asked for 8. Pure. */
export const widened = (profile: HardwareProfile): HardwareProfile => ({
  ...profile,
  scheme: { ...profile.scheme, activations: WIDE, pairSafe: false },
  fusion: {
    ...profile.fusion,
    fixedRange: Object.fromEntries(
      Object.entries(profile.fusion.fixedRange).map(([op, range]) => [op, finerPair(range)]),
    ),
  },
});

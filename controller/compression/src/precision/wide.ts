/** int8 weights with activations of 16 bits: for accelerators that multiply 8 by 16, where 8 bits lose too much. */
import type { HardwareProfile } from '../hardware/profile.js';

/** Ranges that kernels have built in are one step short of a power of two: the step of 16 bits is finer. */
const finer = ([min, max]: [number, number]): [number, number] => [
  min,
  min + (max - min) * (256 / 255) * (65535 / 65536),
];

/** A profile that asks for 16-bit activations where it asked for 8. Pure.   [ONNX Runtime, QNN execution provider: uint16] */
export const widened = (profile: HardwareProfile): HardwareProfile => ({
  ...profile,
  scheme: { ...profile.scheme, activations: 'uint16', pairSafe: false },
  fusion: {
    ...profile.fusion,
    fixedRange: Object.fromEntries(Object.entries(profile.fusion.fixedRange).map(([op, range]) => [op, finer(range)])),
  },
});

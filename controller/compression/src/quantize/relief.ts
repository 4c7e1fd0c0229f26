import type { HardwareProfile } from '../hardware/profile.js';

/** What a node is given that 8 bits are too few for: float, or int8 weights with activations of 16 bits. */
export type Relief = 'float' | 'int16';

/** 16 bits where the hardware multiplies them, since they stay where the others are; else float; null where nothing but 8 bits runs. Pure. */
export const reliefOf = ({ precisions, placement }: HardwareProfile): Relief | null => {
  if (precisions.includes('int16')) return 'int16';
  return placement.at === 'all-edges' ? null : 'float';
};

/** "12 nodes were left ..." */
export const RELIEVED: Readonly<Record<Relief, string>> = { float: 'in float', int16: 'at 16 bits' };

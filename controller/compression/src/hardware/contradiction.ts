import type { HardwareProfile } from './profile.js';

/** Why the sections of a profile do not go together, or null. */
export function contradiction({ scheme, placement, fusion, outputs }: HardwareProfile): string | null {
  if (scheme.symmetric && fusion.absorb.length > 0) {
    return 'scheme.symmetric: a range around zero cannot absorb an activation, so fusion.absorb must be empty';
  }
  if (placement.at === 'weighted-inputs' && fusion.carry.length > 0) {
    return 'placement.at: weighted-inputs quantizes no output, so fusion.carry must be empty';
  }
  if (placement.residual.length > 0 && placement.at !== 'weighted-inputs') {
    return 'placement.residual: only weighted-inputs has shortcut operands';
  }
  const full = scheme.activations === 'int8' && !scheme.symmetric && placement.at === 'all-edges';
  if (outputs[0] === 'tflite' && !full) {
    return 'outputs: tflite needs int8 activations with a zero point, on all edges';
  }
  if (outputs.includes('tflite') && (scheme.symmetric || !['int8', 'uint8'].includes(scheme.activations))) {
    return 'outputs: tflite needs activations of 8 bits with a zero point';
  }
  return null;
}

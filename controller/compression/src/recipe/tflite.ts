import { TfliteNeedsInt8 } from '../errors.js';
import { lowerToTflite } from '../tflite/lower.js';
import { writeTflite } from '../tflite/write.js';
import type { Candidate } from './int8.js';
import type { BuildOptions } from './options.js';

/**
 * The build as .tflite, or null when the profile's file is another. Throws ESP_TFLITE_UNSUPPORTED with the node that
 * has no counterpart, and ESP_TFLITE_NEEDS_INT8 when it was asked for and float was kept.
 */
export function tfliteOf(
  { profile, output, modelName }: Pick<BuildOptions, 'profile' | 'output' | 'modelName'>,
  candidate: Candidate | null,
): Uint8Array | null {
  if ((output ?? profile.outputs[0]) !== 'tflite') return null;
  if (candidate?.int8) return writeTflite(lowerToTflite(candidate.int8.graph, modelName));
  if (output !== 'tflite') return null;
  throw TfliteNeedsInt8({ model: modelName, why: candidate?.notes.join(' ') ?? 'the recipe was float.' });
}

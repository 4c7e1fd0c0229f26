/** Whether a new model fits beside the one that serves, predicted before it is opened. Pure, but for a file's size. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { isStaged } from '../runtime/model-kind.js';
import { stageFiles } from '../runtime/staged/staged-file.js';

/** beside: both at once. narrow: the new one on a single worker until the old one is gone. drain: the old one goes first. */
export type SwapWay = 'beside' | 'narrow' | 'drain' | 'refuse';

export interface SwapMemory {
  readonly freeBytes: number;
  /** What the old model gives back when it ends; 0 when none serves. */
  readonly oldBytes: number;
  /** The new model on one worker, and on all of its workers. */
  readonly oneBytes: number;
  readonly allBytes: number;
}

/** Left to everything else that grows meanwhile: requests, the kernel, other programs. */
const RESERVE_BYTES = 32 * 1024 * 1024;

export function swapWay({ freeBytes, oldBytes, oneBytes, allBytes }: SwapMemory): SwapWay {
  const left = freeBytes - RESERVE_BYTES;
  if (allBytes <= left) return 'beside';
  if (oneBytes <= left && allBytes <= left + oldBytes) return 'narrow';
  return oneBytes <= left + oldBytes ? 'drain' : 'refuse';
}

/**
 * Memory of a session as a multiple of its file until this device has measured it: weights are held as they came and packed.
 * (MobileNetV2 of 14 MB: another session takes 29 MB with its arena.)
 */
const FIRST_FACTOR = 2.5;
const SMALLEST_FACTOR = 1;
const LARGEST_FACTOR = 8;
/** Of a thread with its heap, and an arena that has seen one run. */
const SESSION_BYTES = 12 * 1024 * 1024;
const BELIEVED = 0.5;

/** Predicts what models take, from their files and what earlier ones took here. */
export class MemoryPrediction {
  #factor = FIRST_FACTOR;

  /** Bytes of so many sessions of a model. */
  of(modelBytes: number, sessions: number): number {
    return sessions * (SESSION_BYTES + this.#factor * modelBytes);
  }

  /** Learns from what a model was seen to take; a process that gave memory back meanwhile says nothing. */
  saw(modelBytes: number, sessions: number, grownBytes: number): void {
    const factor = (grownBytes / sessions - SESSION_BYTES) / modelBytes;
    if (!(factor > SMALLEST_FACTOR)) return;
    this.#factor += BELIEVED * (Math.min(LARGEST_FACTOR, factor) - this.#factor);
  }
}

/** Bytes of a model's file with those beside it that begin with its name, as external weights do; of stages, all of them. */
export function modelBytes(file: string): number {
  if (isStaged(file)) return stageFiles(file).reduce((sum, stage) => sum + modelBytes(stage), 0);
  const folder = path.dirname(file);
  return readdirSync(folder)
    .filter((name) => name.startsWith(path.basename(file)))
    .reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
}

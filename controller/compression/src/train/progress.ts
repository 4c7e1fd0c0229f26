/** How far a training is. */
import type { TrainRecipe, TrainStage } from './recipe.js';

export interface TrainProgress {
  readonly stage: string;
  readonly epoch: number;
  readonly epochs: number;
  /** Of the whole training, 0..1. */
  readonly share: number;
  /** Of the last step; null before the first. */
  readonly loss: number | null;
  readonly etaSeconds: number | null;
}

/** Turns stages and epochs into one bar, and the time so far into the time that is left. */
export class Progress {
  private readonly starts: number[];
  private readonly total: number;
  private readonly started = performance.now();
  private first: number | null = null;

  constructor(
    private readonly recipe: TrainRecipe,
    private readonly onProgress: ((progress: TrainProgress) => void) | undefined,
  ) {
    let epochs = 0;
    this.starts = recipe.stages.map((stage: TrainStage) => {
      epochs += stage.epochs;
      return epochs - stage.epochs;
    });
    this.total = epochs;
  }

  /** @param share of the stage */
  tell(index: number, epoch: number, share: number, loss: number | null): void {
    const stage = this.recipe.stages[index]!;
    const done = (this.starts[index]! + share * stage.epochs) / this.total;
    this.first ??= done;
    const seconds = (performance.now() - this.started) / 1000;
    const gone = done - this.first;
    this.onProgress?.({
      ...{ stage: stage.name, epoch: epoch + 1, epochs: stage.epochs, share: done, loss },
      etaSeconds: gone > 0.01 ? (seconds * (1 - done)) / gone : null,
    });
  }
}

import type { LatencyTable, Recipe } from '@espalier/proto';

/** Where builds get the latency table of their profile from. */
export abstract class TableSource {
  /** What devices of the profile measured of the model, where the recipe asks for it and nothing of its key has changed. */
  abstract of(modelId: string, profile: string, recipe: Recipe): Promise<LatencyTable | null>;
}

import { LayersUnreadable } from '../../common/errors.js';

/** One layer as a compiler or its profiler tells of it. */
export interface Layer {
  readonly name: string;
  readonly us: number;
}

/** Layers of one network, and what it takes as a whole. */
export interface Layers {
  readonly layers: readonly Layer[];
  readonly totalUs: number;
  /** The tool, as the table's runtime names it. */
  readonly tool: string;
}

/** The layers, added up where the tool tells of no whole. @throws ESP_LAYERS_UNREADABLE where there are none */
export function layersOf(format: string, layers: readonly Layer[], totalUs: number | null = null): Layers {
  const sum = layers.reduce((total, { us }) => total + us, 0);
  if (layers.length === 0 || !(sum > 0)) throw LayersUnreadable({ format, why: 'no layer has a time' });
  return { layers, totalUs: totalUs ?? sum, tool: format };
}

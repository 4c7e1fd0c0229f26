import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { Session } from '../runtime/session.js';
import { compare } from './accuracy.js';

/** Top-1 of a network on all labelled samples of a data set, in percent. */
export async function top1Of(graph: Graph, data: Dataset, feeding: BatchOptions): Promise<number> {
  const session = await Session.open(encodeModel(graph), 'the network');
  try {
    const { limit: _, ...all } = feeding;
    return (await compare(session, session, data, all)).top1 ?? 0;
  } finally {
    await session.dispose();
  }
}

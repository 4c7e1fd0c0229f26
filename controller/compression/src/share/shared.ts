/**
 * Work that the builds of one model for several profiles have in common: done by the first that needs it. What it is kept
 * under is all that it depends on, never a name, so a build comes out the same alone and in company.
 */
import { sha256Hex } from '@espalier/proto';
import { encodeModel } from '../onnx/codec.js';
import { Graph } from '../onnx/graph.js';

export interface Shared {
  /** False where nobody else will ask: then only what the build itself needs is done. */
  readonly isShared: boolean;
  /**
   * The result of `make`, made once for all that name the same `what` and `on`. Who gets it must not change it.
   * @param on everything that the result depends on: what JSON holds, and graphs, which nobody changes afterwards
   */
  once<Result>(what: string, on: readonly unknown[], make: () => Promise<Result>): Promise<Result>;
}

/** For a build on its own. */
export const ALONE: Shared = { isShared: false, once: (_what, _on, make) => make() };

/** For the builds of one job; it holds what it made as long as it lives itself. */
export function inCompany(): Shared {
  const made = new Map<string, Promise<unknown>>();
  return {
    isShared: true,
    once<Result>(what: string, on: readonly unknown[], make: () => Promise<Result>): Promise<Result> {
      const key = `${what} ${sha256Hex(new TextEncoder().encode(JSON.stringify(on, byDigest)))}`;
      const known = made.get(key) as Promise<Result> | undefined;
      if (known) return known;
      const result = make();
      made.set(key, result);
      // What failed, or was aborted, is tried again by the next that asks.
      result.catch(() => made.delete(key));
      return result;
    },
  };
}

const digests = new WeakMap<Graph, string>();

const byDigest = (_key: string, value: unknown): unknown => (value instanceof Graph ? graphDigest(value) : value);

/** Of everything in a graph. */
function graphDigest(graph: Graph): string {
  const known = digests.get(graph) ?? sha256Hex(encodeModel(graph));
  digests.set(graph, known);
  return known;
}

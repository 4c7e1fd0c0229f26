/** The builds of one job, one after the other: what they have in common is made once. */
import { buildVariant, inCompany } from '@espalier/compression';
import { errorBody } from '@espalier/proto';
import type { BuildsTask, PartEnd, Progress } from './worker-protocol.js';

export interface PartHooks {
  readonly signal: AbortSignal;
  /** @param variantId of the part it is about; its own share is in `part` */
  onProgress(progress: Progress): void;
  /** Called as each part ends, and awaited: what is ready outlives this process. */
  onPart(variantId: string, end: PartEnd): Promise<void>;
}

/**
 * A part that fails ends nothing but itself. Throws the signal's reason, and after the last part the first error.
 */
export async function buildParts({ parts }: BuildsTask, { signal, onProgress, onPart }: PartHooks): Promise<void> {
  // A build that is alone has nobody to keep anything for.
  const shared = parts.length > 1 ? inCompany() : undefined;
  let failure: unknown = null;
  for (const [at, { variantId, task }] of parts.entries()) {
    const told = (progress: Progress): void =>
      onProgress({
        ...progress,
        fraction: (at + progress.fraction) / parts.length,
        part: { variantId, fraction: progress.fraction },
      });
    try {
      await onPart(variantId, { built: await buildVariant({ ...task, shared, signal, onProgress: told }) });
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
      await onPart(variantId, { error: errorBody(error) });
    }
  }
  if (failure !== null) throw failure;
}

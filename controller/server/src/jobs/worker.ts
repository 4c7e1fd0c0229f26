/**
 * The process that does one piece of work: it gets its task over IPC, reports progress and the result the same way, and
 * ends. It never sees the database. When its parent is gone it ends at once: the lease brings the job back.
 */
import { rm } from 'node:fs/promises';
import os from 'node:os';
import { listGroups, listWorks, planTiming } from '@espalier/compression';
import { errorBody } from '@espalier/proto';
import { buildParts, type PartHooks } from './build-parts.js';
import type { FromWorker, TaskOf, ToWorker, Work, WorkKind } from './worker-protocol.js';

/** Serving and the controller itself come first. */
const LOW_PRIORITY = 10;

const cancel = new AbortController();
const send = (message: FromWorker): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.send!(message, undefined, undefined, () => resolve());
  });

/** Waits until the parent has stored what it was told of. */
let taken: () => void = () => undefined;

async function perform(work: TaskOf, hooks: PartHooks): Promise<Work[WorkKind]['result']> {
  const { signal, onProgress } = hooks;
  switch (work.kind) {
    case 'build-variant':
      await buildParts(work.task, hooks);
      return null;
    case 'plan-timing':
      return planTiming({ ...work.task, signal, onProgress });
    case 'list-groups':
      return listGroups(work.task.file);
    case 'list-works':
      return listWorks(work.task.file, work.task.profile);
  }
}

async function start(work: TaskOf): Promise<void> {
  os.setPriority(LOW_PRIORITY);
  try {
    if ('outDir' in work.task) await rm(work.task.outDir, { recursive: true, force: true });
    const result = await perform(work, {
      signal: cancel.signal,
      onProgress: (progress) => void send({ type: 'progress', progress }),
      onPart: async (variantId, end) => {
        const answer = new Promise<void>((resolve) => {
          taken = resolve;
        });
        await send({ type: 'part', variantId, end });
        await answer;
      },
    });
    await send({ type: 'done', result });
    process.exit(0);
  } catch (error) {
    await send({ type: 'failed', error: errorBody(error) });
    process.exit(1);
  }
}

process.on('disconnect', () => process.exit(1));
process.on('message', (message: ToWorker) => {
  if (message.type === 'cancel') cancel.abort();
  else if (message.type === 'taken') taken();
  else void start(message.work);
});

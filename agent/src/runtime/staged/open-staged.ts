/** A network with early exits as one model: its logits, and beside them the stage at which each row ended. */
import type { SessionOptions } from '@espalier/proto';
import type { Tensors } from '../protocol.js';
import type { Session } from '../session.js';
import { EXIT_OUTPUT } from './exit-output.js';
import { type StagedAnswer, StagedSession } from './staged-session.js';

/** @throws ESP_MODEL_LOAD_FAILED */
export function openStaged(folder: string, options: SessionOptions): Session {
  const staged = StagedSession.open(folder, options);
  const { classes, stages } = staged.model;
  const { logits } = stages.at(-1)!;
  const toTensors = ({ logits: values, exits }: StagedAnswer): Tensors => ({
    [logits]: values,
    [EXIT_OUTPUT]: { type: 'int32', shape: [exits.length], data: Int32Array.from(exits) },
  });
  const run = (feeds: Tensors): Tensors => toTensors(staged.run(feeds));
  return {
    inputs: [...staged.inputs],
    outputs: [
      { name: logits, type: 'float32', shape: ['batch', classes] },
      { name: EXIT_OUTPUT, type: 'int32', shape: ['batch'] },
    ],
    run,
    prepare: (feeds, into) => ({
      run: () => {
        const made = run(feeds);
        const isBound = Object.keys(made).every((name) => name in into);
        if (!isBound) return made;
        for (const [name, { data }] of Object.entries(made))
          (into[name]!.data as { set(values: unknown): void }).set(data);
        return null;
      },
    }),
    endProfiling: () => undefined,
    close: () => staged.close(),
  };
}

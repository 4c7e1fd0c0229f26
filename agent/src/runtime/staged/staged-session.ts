/** A network with early exits, run stage by stage: rows that a stage is sure of end there, the others go on together. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type SessionOptions, StagedModel, sha256Hex, type TensorSpec } from '@espalier/proto';
import { ModelLoadFailed } from '../../errors.js';
import { STAGES_FILE } from '../model-kind.js';
import { openSession } from '../onnx.js';
import type { Tensors, TensorValue } from '../protocol.js';
import type { Session } from '../session.js';
import { partRows, takeRows } from './rows.js';

export interface StagedAnswer {
  /** [N, classes] in the order of the rows. */
  readonly logits: TensorValue;
  /** The stage at which each row ended, from 0. */
  readonly exits: readonly number[];
}

export class StagedSession {
  private readonly counts: number[];

  private constructor(
    readonly model: StagedModel,
    private readonly sessions: readonly Session[],
  ) {
    this.counts = sessions.map(() => 0);
  }

  /** Loads the stages of a folder; their digests must be those that are listed. @throws ESP_MODEL_LOAD_FAILED */
  static open(folder: string, options: SessionOptions): StagedSession {
    const sessions: Session[] = [];
    let file = path.join(folder, STAGES_FILE);
    try {
      const model = StagedModel.parse(JSON.parse(readFileSync(file, 'utf8')));
      for (const stage of model.stages) {
        file = path.join(folder, path.basename(stage.file));
        if (sha256Hex(readFileSync(file)) !== stage.sha256) throw new Error('its digest is not the one listed');
        sessions.push(openSession(file, options));
      }
      return new StagedSession(model, sessions);
    } catch (error) {
      for (const session of sessions) session.close();
      throw ModelLoadFailed({ file, cause: (error as Error).message }, { cause: error });
    }
  }

  get inputs(): readonly TensorSpec[] {
    return this.sessions[0]?.inputs ?? [];
  }

  /** Rows that ended at each stage since it was opened. */
  get histogram(): readonly number[] {
    return this.counts;
  }

  run(feeds: Tensors): StagedAnswer {
    const { classes, stages } = this.model;
    const rows = Object.values(feeds)[0]?.shape[0] ?? 0;
    const answer = new Float32Array(rows * classes);
    const exits = new Array<number>(rows).fill(stages.length - 1);
    let left = Array.from({ length: rows }, (_, row) => row);
    let given = feeds;
    for (const [at, stage] of stages.entries()) {
      if (left.length === 0) break;
      const made = this.sessions[at]?.run(given);
      const logits = made?.[stage.logits] as TensorValue;
      const { ending, going } = partRows(stage, logits);
      for (const place of ending) {
        const row = left[place] as number;
        answer.set(takeRows(logits, [place]).data as Float32Array, row * classes);
        exits[row] = at;
      }
      this.counts[at] = (this.counts[at] ?? 0) + ending.length;
      left = going.map((place) => left[place] as number);
      const next = stages[at + 1];
      if (next && stage.feature) given = { [next.input]: takeRows(made?.[stage.feature] as TensorValue, going) };
    }
    return { logits: { type: 'float32', shape: [rows, classes], data: answer }, exits };
  }

  close(): void {
    for (const session of this.sessions) session.close();
  }
}

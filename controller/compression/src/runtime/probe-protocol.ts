import type { TensorSpec } from '@espalier/proto';

/** What a model is fed and returns, as the runtime sees it. */
export interface Ports {
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
}

/** The sizes each output had in a run on inputs of the declared sizes, by name; 1 for what may vary. */
export type RanShapes = Readonly<Record<string, readonly number[]>>;

/** The one message of the process that loads a model; `ran` is null where a run was not possible. */
export type ProbeAnswer = { readonly ports: Ports; readonly ran: RanShapes | null } | { readonly refused: string };

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { errorToast } from '../components/toasts';
import { change, type Method } from './client';

export interface Change {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
}

interface Options<T> {
  /** Roots of the queries that this change makes old. */
  readonly touches: readonly string[];
  readonly onDone?: (answer: T, sent: Change) => void;
  /** True where the form shows the error itself; otherwise a toast tells it. */
  readonly quiet?: boolean;
}

/** A change of the controller's state that refreshes what it touched. A failed one leaves the page as it was. */
export function useChange<T = unknown>({ touches, onDone, quiet = false }: Options<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ method, path, body }: Change) => change<T>(method, path, body),
    onSuccess: async (answer, sent) => {
      await Promise.all(touches.map((root) => client.invalidateQueries({ queryKey: [root] })));
      onDone?.(answer, sent);
    },
    onError: (thrown) => {
      if (!quiet) errorToast(thrown);
    },
  });
}

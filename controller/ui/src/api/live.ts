import type { LiveEvent } from '@espalier/proto/api';
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

/** Which queries (by the first part of their key) an event of each kind makes old. */
const touched: Record<LiveEvent['kind'], readonly string[]> = {
  device: ['devices', 'device', 'measurements', 'quality', 'fleet', 'model', 'enrolment-tokens', 'profiles'],
  model: ['models', 'model', 'fleet'],
  variant: ['variants', 'variant', 'model', 'models'],
  dataset: ['datasets'],
  job: ['jobs', 'job', 'fleet', 'variants', 'model'],
  rollout: ['rollouts', 'rollout', 'device', 'fleet'],
  decision: ['decisions', 'fleet'],
  sample: ['sample'],
  'field-sample': ['sampling', 'field-samples'],
  system: ['system', 'fleet'],
};

/** Tables repaint at most this often, however many events arrive. */
const REPAINT_MS = 1_000;
const RETRY_MS = 2_000;

export interface LiveState {
  readonly connected: boolean;
  /** When the stream last said something (ms since the epoch), null before the first time. */
  readonly lastMs: number | null;
}

let state: LiveState = { connected: false, lastMs: null };
const listeners = new Set<() => void>();

/** The one place where the state changes; tells all that show it. */
function become(next: LiveState): void {
  state = next;
  for (const listener of listeners) listener();
}

/** Collects the touched roots and makes their queries old once a beat. */
function invalidator(client: QueryClient): (kind: LiveEvent['kind']) => void {
  const waiting = new Set<string>();
  let isTimed = false;
  const flush = () => {
    isTimed = false;
    for (const root of waiting) void client.invalidateQueries({ queryKey: [root] });
    waiting.clear();
  };
  return (kind) => {
    for (const root of touched[kind] ?? []) waiting.add(root);
    if (!isTimed) setTimeout(flush, REPAINT_MS);
    isTimed = true;
  };
}

/**
 * Opens the one event stream of the page. The browser resumes it by Last-Event-ID after a short cut; when it gives up
 * (the controller restarted), a new stream is opened and everything shown is read again, because events were missed.
 * Returns the function that closes it.
 */
export function connectLive(client: QueryClient): () => void {
  const invalidate = invalidator(client);
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let lost = false;
  const open = () => {
    source = new EventSource('/api/v1/events');
    source.onopen = () => {
      if (lost) void client.invalidateQueries();
      lost = false;
      become({ connected: true, lastMs: Date.now() });
    };
    source.onmessage = (message) => {
      become({ connected: true, lastMs: Date.now() });
      const event = JSON.parse(message.data) as Partial<LiveEvent>;
      if (event.kind) invalidate(event.kind);
    };
    source.onerror = () => {
      lost = true;
      become({ ...state, connected: false });
      if (source?.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(open, RETRY_MS);
    };
  };
  open();
  return () => {
    clearTimeout(retry);
    source?.close();
  };
}

/** Whether the page is live, and since when not. */
export const useLive = (): LiveState =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );

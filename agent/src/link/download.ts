/** Fetches one blob into a part file, from where an earlier attempt stopped. Nothing is parsed here. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { FetchResponse } from '@espalier/proto/grpc';
import { status as grpcStatus } from '@grpc/grpc-js';
import { type BackoffLimits, fullJitterMs, isAbort, sleep } from '../common/backoff.js';
import { ArtifactGone, DownloadStalled, LengthMismatch } from '../errors.js';
import { sizeOf } from '../store/store.js';
import type { Rpc } from './rpc.js';

const SYNC_BYTES = 4 * 1024 * 1024;
const GONE_TRIES = 3;
const STALL_MS = 30_000;
const GIVE_UP_MS = 15 * 60_000;
const BACKOFF: BackoffLimits = { baseMs: 500, capMs: 30_000 };

export interface DownloadRequest {
  /** Asked for each stream: a renewed certificate brings another client. */
  readonly rpc: () => Rpc;
  readonly sha256: string;
  /** Length that the manifest promises; one byte more ends the download. */
  readonly bytes: number;
  readonly file: string;
  readonly signal: AbortSignal;
  readonly random: () => number;
}

/** @throws ESP_ARTIFACT_GONE, ESP_LENGTH_MISMATCH, ESP_DOWNLOAD_STALLED, and the signal's reason */
export async function download(request: DownloadRequest): Promise<void> {
  const { sha256, bytes, file, signal } = request;
  let lastProgressMs = performance.now();
  for (let tries = 1, gone = 0; ; tries++) {
    const from = sizeOf(file) ?? 0;
    if (from > bytes) throw LengthMismatch({ file: sha256, wantedBytes: bytes, foundBytes: from });
    if (from === bytes && from > 0) return;
    try {
      await stream(request, from);
      if ((sizeOf(file) ?? 0) === bytes) return;
    } catch (error) {
      if (signal.aborted || isAbort(error)) throw signal.reason ?? error;
      const code = (error as { code?: unknown }).code;
      if (typeof code === 'string') throw error;
      if (code === grpcStatus.NOT_FOUND && ++gone >= GONE_TRIES)
        throw ArtifactGone({ sha256, tries: gone }, { cause: error });
      if (performance.now() - lastProgressMs > GIVE_UP_MS) {
        throw DownloadStalled(
          { sha256, seconds: GIVE_UP_MS / 1000, cause: (error as Error).message },
          { cause: error },
        );
      }
    }
    if ((sizeOf(file) ?? 0) > from) {
      lastProgressMs = performance.now();
      tries = 0;
      gone = 0;
    }
    await sleep(fullJitterMs(tries, BACKOFF, request.random), signal);
  }
}

/** One stream from an offset to its end or its break. */
async function stream({ rpc, sha256, bytes, file, signal }: DownloadRequest, from: number): Promise<void> {
  const call = rpc().fetch(sha256, from);
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  let stalled = setTimeout(cancel, STALL_MS);
  const fd = openSync(file, 'a', 0o600);
  let at = from;
  let unsynced = 0;
  try {
    for await (const { offset, data } of call as AsyncIterable<FetchResponse>) {
      if (Number(offset) !== at) throw new Error(`the stream went on at ${offset} instead of ${at}`);
      if (at + data.length > bytes)
        throw LengthMismatch({ file: sha256, wantedBytes: bytes, foundBytes: at + data.length });
      writeSync(fd, data);
      at += data.length;
      unsynced += data.length;
      if (unsynced >= SYNC_BYTES) {
        fsyncSync(fd);
        unsynced = 0;
      }
      clearTimeout(stalled);
      stalled = setTimeout(cancel, STALL_MS);
    }
  } finally {
    fsyncSync(fd);
    closeSync(fd);
    clearTimeout(stalled);
    signal.removeEventListener('abort', cancel);
    call.on('error', () => undefined);
    call.cancel();
  }
}

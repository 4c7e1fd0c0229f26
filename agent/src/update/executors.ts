/** What each state of an update does. An executor may run again after a kill, so each begins from what is on the disk. */
import { linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type ArtifactFile, filesFor, type SignedManifest, type UpdateStep } from '@espalier/proto';
import { sleep } from '../common/backoff.js';
import { syncFolder, writeDurably } from '../common/files.js';
import {
  DigestMismatch,
  DiskFull,
  HealthFailed,
  LengthMismatch,
  QueueFull,
  WorkerGone,
  WorkerHung,
} from '../errors.js';
import { download } from '../link/download.js';
import type { Rpc } from '../link/rpc.js';
import { checkCase, type GoldenCase, readGolden, toleranceOf } from '../runtime/golden.js';
import { runSelfTest } from '../runtime/self-test.js';
import type { Served, Serving } from '../serve/serving.js';
import { hashFile, type Store, sizeOf } from '../store/store.js';
import type { Journal } from './journal.js';
import { checkManifest, parseManifest, releaseKey } from './manifest-check.js';
import type { Execution } from './update.types.js';

export interface UpdateParts {
  readonly store: Store;
  readonly journal: Journal;
  readonly serving: Serving;
  readonly rpc: () => Rpc;
  readonly artifactKeys: () => Readonly<Record<string, string>>;
  /** Runtimes of this device: files for others are not fetched. */
  readonly adapters: () => ReadonlySet<string>;
  readonly now: () => number;
  readonly random: () => number;
  readonly reserveBytes: number;
  readonly selfTestLimitMs: number;
  readonly healthWindowMs: number;
}

type Executor = (parts: UpdateParts, execution: Execution, signal: AbortSignal) => Promise<void>;

const HEALTH_PROBE_MS = 250;
/** A model that answers later than this is not one to serve with. */
const HEALTH_ANSWER_MS = 30_000;
const MANIFEST_BYTES = 1024 * 1024;

async function fetchBlob(parts: UpdateParts, sha256: string, bytes: number, signal: AbortSignal): Promise<void> {
  const file = parts.store.part(sha256);
  try {
    await download({ rpc: parts.rpc, sha256, bytes, file, signal, random: parts.random });
  } catch (error) {
    // A disk that this part has filled has no room for the record of the failure.
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') rmSync(file, { force: true });
    throw error;
  }
}

/** Length, then digest; a part that fails is thrown away unread. */
async function verifyPart({ store }: UpdateParts, sha256: string, bytes: number, signal: AbortSignal): Promise<void> {
  if (sizeOf(store.blob(sha256)) === bytes) return;
  const foundBytes = store.partBytes(sha256);
  if (foundBytes !== bytes) throw LengthMismatch({ file: sha256, wantedBytes: bytes, foundBytes });
  const found = await hashFile(store.part(sha256), signal);
  if (found !== sha256) {
    rmSync(store.part(sha256), { force: true });
    throw DigestMismatch({ file: sha256, wanted: sha256, found });
  }
  store.promote(sha256);
}

const manifestOf = ({ store }: UpdateParts, { target }: Execution): SignedManifest =>
  parseManifest(readFileSync(store.blob(target.manifest.sha256)));

/** The files of the target that this device has a use for. */
const filesOf = (parts: UpdateParts, execution: Execution): ArtifactFile[] =>
  filesFor(manifestOf(parts, execution).manifest, parts.adapters());

const accept: Executor = async (parts, execution, signal) => {
  const { target, profile } = execution;
  const { sha256, bytes } = target.manifest;
  if (bytes > MANIFEST_BYTES)
    throw LengthMismatch({ file: 'the manifest', wantedBytes: MANIFEST_BYTES, foundBytes: bytes });
  if (sizeOf(parts.store.blob(sha256)) !== bytes) await fetchBlob(parts, sha256, bytes, signal);
  await verifyPart(parts, sha256, bytes, signal);
  const signed = manifestOf(parts, execution);
  const trust = { keys: parts.artifactKeys(), nowMs: parts.now(), profile, releases: parts.journal.state.releases };
  checkManifest(signed, target, trust);
  const files = filesOf(parts, execution);
  const size = files.reduce((sum, file) => sum + file.bytes, 0);
  const partial = files.reduce((sum, file) => sum + parts.store.partBytes(file.sha256), 0);
  const neededBytes = 2 * size + parts.reserveBytes - partial;
  const freeBytes = parts.store.freeBytes();
  if (freeBytes < neededBytes) throw DiskFull({ path: parts.store.root, neededBytes, freeBytes });
};

const fetchFiles: Executor = async (parts, execution, signal) => {
  const { store } = parts;
  for (const { path: name, sha256, bytes } of filesOf(parts, execution)) {
    if (sizeOf(store.blob(sha256)) === bytes) continue;
    const here = path.join(store.slot(execution.target.digest), name);
    if (sizeOf(here) === bytes) store.adopt(here, sha256);
    else await fetchBlob(parts, sha256, bytes, signal);
  }
};

/** What was fetched: a runtime that came or went since does not change it. */
function fetchedOf(parts: UpdateParts, execution: Execution): ArtifactFile[] {
  const { store } = parts;
  const { manifest } = manifestOf(parts, execution);
  const needed = new Set(filesFor(manifest, new Set()).map(({ path: name }) => name));
  return manifest.files.filter(
    ({ path: name, sha256 }) => needed.has(name) || sizeOf(store.blob(sha256)) !== null || store.partBytes(sha256) > 0,
  );
}

const verify: Executor = async (parts, execution, signal) => {
  for (const { sha256, bytes } of fetchedOf(parts, execution)) await verifyPart(parts, sha256, bytes, signal);
};

const stage: Executor = async (parts, execution) => {
  const { store } = parts;
  const { digest, manifest } = execution.target;
  const draft = store.draft(digest);
  rmSync(draft, { recursive: true, force: true });
  for (const { path: name, sha256 } of fetchedOf(parts, execution)) {
    const file = path.join(draft, name);
    mkdirSync(path.dirname(file), { recursive: true });
    linkSync(store.blob(sha256), file);
  }
  writeDurably(path.join(draft, 'manifest.json'), readFileSync(store.blob(manifest.sha256)));
  syncFolder(draft);
  store.publish(digest);
};

const selfTest: Executor = async (parts, execution, signal) => {
  parts.journal.append({ type: 'attempt', state: 'SELF_TEST' });
  await runSelfTest(parts.store.slot(execution.target.digest), parts.selfTestLimitMs, signal);
};

/** The intent is journaled once: after a kill the links may have moved already, and the way back must not be lost. */
const switchOver: Executor = async ({ store, journal, serving }, { target, before }) => {
  journal.append({ type: 'attempt', state: 'SWITCH' });
  const from = before ? before.current : store.read('current');
  if (!before) journal.append({ type: 'intent', from, fromPrevious: store.read('previous') });
  if (from && from !== target.digest) store.point('previous', from);
  store.point('current', target.digest);
  await serving.swapToSlot(store.slot(target.digest), { isTrial: true });
};

/** A golden case through the worker that serves: the answer must be right, and come. */
async function probe(served: Served, golden: GoldenCase, signal: AbortSignal): Promise<void> {
  const limit = new AbortController();
  const late = sleep(HEALTH_ANSWER_MS, AbortSignal.any([signal, limit.signal])).then(() => {
    throw HealthFailed({ cause: `no answer to a golden case within ${HEALTH_ANSWER_MS / 1000} s` });
  });
  try {
    const tolerance = toleranceOf(served.manifest!, served.pool.runtime.adapter);
    const cause = await Promise.race([checkCase(served.pool, golden, tolerance), late]);
    if (cause) throw HealthFailed({ cause });
  } catch (error) {
    // Busy is not ill: the requests that fill the queue are counted themselves.
    if (QueueFull.is(error)) return;
    throw WorkerGone.is(error) || WorkerHung.is(error) ? HealthFailed({ cause: error.message }) : error;
  } finally {
    limit.abort();
    late.catch(() => undefined);
  }
}

const health: Executor = async ({ store, journal, serving, healthWindowMs, now }, { target }, signal) => {
  journal.append({ type: 'attempt', state: 'HEALTH' });
  if (serving.served?.digest !== target.digest) await serving.swapToSlot(store.slot(target.digest));
  const [golden] = readGolden(store.slot(target.digest), serving.served!.manifest!);
  const failuresBefore = serving.failures;
  for (const untilMs = now() + healthWindowMs; now() < untilMs; ) {
    await probe(serving.served!, golden!, signal);
    if (serving.failures > failuresBefore)
      throw HealthFailed({ cause: `${serving.failures - failuresBefore} requests failed in the window` });
    await sleep(HEALTH_PROBE_MS, signal);
  }
};

const commit: Executor = async (parts, execution) => {
  const { model, profile, releaseCounter } = manifestOf(parts, execution).manifest;
  parts.journal.append({ type: 'commit', releaseKey: releaseKey(model.name, profile), releaseCounter });
};

const rollback: Executor = async ({ store, serving }, { before }) => {
  const back = before?.current ?? null;
  store.point('current', back);
  store.point('previous', before?.previous ?? null);
  if (!back) await serving.unload();
  else if (serving.served?.digest !== back) await serving.swapToSlot(store.slot(back));
};

const cleanUp: Executor = async ({ store }) => {
  store.collect();
};

/** A state without an executor does not compile. */
export const executors: Readonly<Record<UpdateStep, Executor>> = {
  ACCEPT: accept,
  DOWNLOAD: fetchFiles,
  VERIFY: verify,
  STAGE: stage,
  SELF_TEST: selfTest,
  READY: async () => undefined,
  SWITCH: switchOver,
  HEALTH: health,
  COMMIT: commit,
  ROLLBACK: rollback,
  CLEANUP: cleanUp,
};

/** Child process: loads a slot's model and runs its golden cases. What it breaks, it breaks alone. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GoldenFile, SignedManifest } from '@espalier/proto';
import { compareGolden, feedsOf } from './golden.js';
import { openSession } from './onnx.js';

export type SelfTestVerdict =
  | { readonly ok: true; readonly cases: number }
  | { readonly ok: false; readonly cause: string };

async function selfTest(slot: string): Promise<SelfTestVerdict> {
  const { manifest } = SignedManifest.parse(JSON.parse(readFileSync(path.join(slot, 'manifest.json'), 'utf8')));
  const golden = GoldenFile.parse(JSON.parse(readFileSync(path.join(slot, manifest.golden.path), 'utf8')));
  const session = await openSession(path.join(slot, manifest.entry), manifest.runtime.sessionOptions);
  const typesOf = (specs: { name: string; type: string }[]): Map<string, string> =>
    new Map(specs.map(({ name, type }) => [name, type]));
  for (const [index, { inputs, outputs }] of golden.cases.entries()) {
    const found = await session.run(feedsOf(inputs, typesOf(session.inputs)));
    const wanted = feedsOf(outputs, typesOf(session.outputs));
    const cause = compareGolden(wanted, found, manifest.golden.tolerance);
    if (cause) return { ok: false, cause: `golden case ${index}: ${cause}` };
  }
  return { ok: true, cases: golden.cases.length };
}

const slot = process.argv[2] ?? '';
const verdict = await selfTest(slot).catch((error: Error): SelfTestVerdict => ({ ok: false, cause: error.message }));
process.send?.(verdict, () => process.exit(0));

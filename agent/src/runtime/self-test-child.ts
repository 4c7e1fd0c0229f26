/** Child process: loads a slot's model and runs its golden cases. What it breaks, it breaks alone. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SignedManifest } from '@espalier/proto';
import { checkCase, readGolden } from './golden.js';
import { openModel } from './open-model.js';

export type SelfTestVerdict =
  | { readonly ok: true; readonly cases: number }
  | { readonly ok: false; readonly cause: string };

async function selfTest(slot: string): Promise<SelfTestVerdict> {
  const { manifest } = SignedManifest.parse(JSON.parse(readFileSync(path.join(slot, 'manifest.json'), 'utf8')));
  const cases = readGolden(slot, manifest);
  const session = await openModel(path.join(slot, manifest.entry), manifest.runtime.sessionOptions);
  for (const [index, one] of cases.entries()) {
    const cause = await checkCase(session, one, manifest.golden.tolerance);
    if (cause) return { ok: false, cause: `golden case ${index}: ${cause}` };
  }
  return { ok: true, cases: cases.length };
}

const slot = process.argv[2] ?? '';
const verdict = await selfTest(slot).catch((error: Error): SelfTestVerdict => ({ ok: false, cause: error.message }));
process.send?.(verdict, () => process.exit(0));

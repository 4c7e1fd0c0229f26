import { readFileSync } from 'node:fs';

/** The version of this package; a bundled build has it written in. */
export const AGENT_VERSION: string =
  process.env.ESPALIER_AGENT_VERSION ??
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

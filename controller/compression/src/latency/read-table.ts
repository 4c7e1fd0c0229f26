import { readFile } from 'node:fs/promises';
import { LatencyTable } from '@espalier/proto';
import { LatencyTableUnfit } from '../errors.js';

/** Throws ESP_LATENCY_TABLE_UNFIT with the field. */
export async function readTable(file: string | undefined): Promise<LatencyTable> {
  if (file === undefined) throw LatencyTableUnfit({ file: '', why: 'none was given with --table' });
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw LatencyTableUnfit({ file, why: (error as Error).message }, { cause: error });
  }
  const parsed = LatencyTable.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw LatencyTableUnfit({ file, why: `${issue.path.join('.')}: ${issue.message}` });
}

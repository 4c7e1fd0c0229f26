import { errorBody } from '@espalier/proto';
import type { RunningController } from '../controller.js';
import { table } from './sample-result.js';

export interface PlayFlags {
  readonly empty?: boolean;
  readonly sample?: boolean;
  readonly once?: boolean;
  readonly json?: boolean;
}

/** Plays the sample where it is wanted and tells how it went. @returns whether int8 kept its promise */
export async function playSample(
  { sample, url, isEmpty }: RunningController,
  flags: PlayFlags,
  say: (text: string) => void,
): Promise<boolean> {
  const wanted = flags.sample || (!flags.empty && (await isEmpty()));
  if (!wanted) return false;
  say('The sample journey: a real agent on this machine, from enrolment to a build that fits it.');
  sample.onProgress = (step) => say(`  ${step} ...`);
  try {
    const result = await sample.run();
    if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else say(`\n${table(result)}\n\n  See it in the web app: ${url}\n`);
    return result.ok;
  } catch (error) {
    const { code, message, action } = errorBody(error);
    say(`${code}: ${message}\n  ${action}`);
    return false;
  }
}

/** Two benches of the same model must agree when both call themselves clean, and one beside a CPU hog must not. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../support/process.ts';
import type { Line } from './cells.ts';
import type { BenchModel } from './models.ts';
import { program, serve } from './tools.ts';

interface Bench {
  readonly class: string;
  readonly p50Us: number;
  readonly n: number;
}

async function once({ file }: BenchModel, seconds: number): Promise<Bench> {
  const args = [
    path.join(root, 'agent/bin/espalier-agent.mjs'),
    'bench',
    file,
    '--json',
    '--scenarios',
    'single-stream',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...args,
    '--tune-limit-s',
    '0',
    '--seconds',
    String(seconds),
  ]);
  return JSON.parse(stdout.trim().split('\n')[1]!) as Bench;
}

export async function repeatCells(one: BenchModel, seconds: number, tries: number): Promise<Line[]> {
  const { model, variant } = one;
  const runs: Bench[] = [];
  for (let at = 0; at < tries; at++) runs.push(await once(one, seconds));
  const clean = runs.filter((run) => run.class === 'clean').map(({ p50Us }) => p50Us);
  const apart = clean.length > 1 ? 100 * (Math.max(...clean) / Math.min(...clean) - 1) : -1;
  // The bare runtime in an endless loop on all CPUs is the hog.
  const hog = await serve(
    program('bare.mjs'),
    ['--model', one.file, '--batches', '1,1,1,1', '--seconds', '1'],
    /img_s/,
  );
  const disturbed = await once(one, seconds);
  await hog.stop();
  return [
    {
      ...{ id: 'repeat', model, variant, value: Math.round(apart * 10) / 10, unit: '% apart', n: clean.length },
      reference: `${clean.length} of ${tries} clean${clean.length < 3 ? ': unproven here' : ''}`,
    },
    {
      ...{ id: 'repeat-hog', model, variant, value: disturbed.class === 'clean' ? 1 : 0, unit: 'called clean', n: 1 },
      reference: `beside a CPU hog: ${disturbed.class}`,
    },
  ];
}

/** Runs `--sample --once --json`, the journey whole, as `npm start -- --sample --once --json` does. */
import { start } from './process.ts';

/** The last line of stdout; the command's promise to scripts, documented in docs/operations.md. */
export interface JourneyResult {
  ok: boolean;
  seconds: number;
  float: { top1: number; p50Us: number };
  variant: {
    profile: string;
    top1: number;
    n: number;
    fixed: number;
    broken: number;
    p50Us: number;
    sizeRatio: number;
    floatNodes: { node: string; op: string; reason: string }[];
  } | null;
  rollout: string;
  served: number;
  decisions: { reason: string; action: string }[];
}

/** Any free port for everything, so that tests run beside each other and beside a real controller. */
export const freePorts = {
  ESPALIER_HTTP_PORT: '0',
  ESPALIER_GRPC_PORT: '0',
  ESPALIER_MQTT_PORT: '0',
  ESPALIER_ENROL_PORT: '0',
  ESPALIER_LOG_LEVEL: 'warn',
} as const;

export async function runJourney(
  dataDir: string,
  env: Record<string, string> = {},
): Promise<{ result: JourneyResult; output: string }> {
  const args = ['--sample', '--once', '--json', '--data-dir', dataDir];
  const running = start('controller/server/bin/espalier-controller.mjs', args, { ...freePorts, ...env });
  const timer = setTimeout(() => running.child.kill('SIGKILL'), 240_000);
  await running.exited;
  clearTimeout(timer);
  const lines = running
    .output()
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{"ok"'));
  const last = lines.at(-1);
  if (!last) throw new Error(`the journey ended without its result:\n${running.output()}`);
  return { result: JSON.parse(last) as JourneyResult, output: running.output() };
}

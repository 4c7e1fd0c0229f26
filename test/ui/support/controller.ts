/** A controller without the sample, and an agent that enrols at it: real processes on free ports. */
import path from 'node:path';
import { freePorts } from '../../support/journey.ts';
import { type Running, start } from '../../support/process.ts';

export interface Controller {
  /** Where the web app is, without a slash at the end. */
  readonly url: string;
  /** The one-time link that signs the administrator in. */
  readonly link: string;
  readonly running: Running;
}

export async function startController(dataDir: string): Promise<Controller> {
  const program = 'controller/server/bin/espalier-controller.mjs';
  const running = start(program, ['--empty', '--data-dir', dataDir], freePorts);
  const [link] = await running.waitFor(/https?:\/\/\S+[?&]link=\S+/, 90_000);
  return { url: new URL(link).origin, link, running };
}

/** Runs the command that "Add device" shows, as it is shown, then the agent itself. */
export async function runAgent(command: string, stateDir: string): Promise<Running> {
  const words = command.trim().split(/\s+/);
  const args = words.slice(words.findIndex((word) => word.endsWith('espalier-agent')) + 1);
  const program = 'agent/bin/espalier-agent.mjs';
  const env = {
    ESPALIER_AGENT_DATA: path.resolve(stateDir),
    ESPALIER_AGENT_PORT: '0',
    ESPALIER_AGENT_MEASURE_INTERVAL_S: '2',
  };
  const enrol = start(program, args, env);
  const code = await enrol.exited;
  if (code !== 0) throw new Error(`enrolment ended with ${code}:\n${enrol.output()}`);
  return start(program, ['run'], env);
}

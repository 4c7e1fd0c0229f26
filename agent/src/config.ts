/** Settings of `espalier-agent run`: flags over environment over file over defaults, checked before anything starts. */
import path from 'node:path';
import { z } from 'zod';
import { readIfThere } from './common/files.js';
import { ConfigInvalid } from './errors.js';
import { parseUpdateWindow } from './update/update-window.js';

export const DEFAULT_DATA_DIR = '/var/lib/espalier';
export const CONFIG_FILE = '/etc/espalier/agent.yaml';

export const AgentConfig = z.strictObject({
  dataDir: z.string().min(1).default(DEFAULT_DATA_DIR),
  host: z.string().min(1).default('127.0.0.1'),
  /** 0 takes any free port. */
  port: z.coerce.number().int().min(0).max(65_535).default(4290),
  /** Port of gRPC: the one after `port` by default, 0 = any free one. */
  grpcPort: z.coerce.number().int().min(0).max(65_535).optional(),
  /** Unix sockets for clients on this machine; none by default. */
  socket: z.string().min(1).optional(),
  grpcSocket: z.string().min(1).optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Seconds between two measurements of the serving model. */
  measureIntervalS: z.coerce.number().positive().default(60),
  /** Local time of day in which this device may switch to a new model, as 22:00-06:00; always, when it is not set. */
  updateWindow: z
    .string()
    .refine((text) => parseUpdateWindow(text) !== null, 'write it as 22:00-06:00')
    .optional(),
  /** Seconds a new model is watched before the update is committed. */
  healthWindowS: z.coerce.number().positive().default(3),
  /** Seconds a self-test may take. */
  selfTestLimitS: z.coerce.number().positive().default(120),
  /** Seconds between two polls while MQTT is down. */
  pollIntervalS: z.coerce.number().positive().default(20),
  /** Bytes of the disk that an update leaves free. */
  reserveBytes: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(64 * 1024 * 1024),
  maxBodyBytes: z.coerce
    .number()
    .int()
    .positive()
    .default(64 * 1024 * 1024),
  /** Requests that may wait for the model before more are refused. */
  queueLimit: z.coerce.number().int().positive().default(256),
  /** Bytes of inputs that may wait. */
  queueBytes: z.coerce
    .number()
    .int()
    .positive()
    .default(256 * 1024 * 1024),
  /** Milliseconds in which a request is answered or refused, where it does not say so itself; without it there is no limit. */
  latencyLimitMs: z.coerce.number().positive().optional(),
  /** Seconds that the search for the best way to run a model may take on this device; 0 searches nothing. */
  tuneLimitS: z.coerce.number().min(0).default(60),
  /**
   * Seconds for which a build of the controller's is served as it came before that search: a rollout's gates compare what
   * builds measure, and neither a search beside them nor another way to run would be fair to them.
   */
  tuneAfterS: z.coerce.number().min(0).default(900),
  /** Requests that may run as one batch, where the model is proven to take batches. */
  largestBatch: z.coerce.number().int().positive().default(16),
  /** Seconds after which a run of the model counts as hung. */
  hangLimitS: z.coerce.number().positive().default(30),
  /** Whether a controller may ask this device to keep inputs for labelling: `never` refuses every such order. */
  samples: z.enum(['allowed', 'never']).default('allowed'),
  /** Debugging only: kills this process when a state is journaled; docs/update.md. */
  fault: z.string().optional(),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

/** Environment variable of a setting: ESPALIER_AGENT_ and the name in upper snake case; `dataDir` is _DATA. */
export const envName = (setting: string): string =>
  setting === 'dataDir'
    ? 'ESPALIER_AGENT_DATA'
    : `ESPALIER_AGENT_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

async function fromFile(file: string): Promise<Record<string, unknown>> {
  const text = readIfThere(file);
  if (text === null) return {};
  // A CommonJS package: in the bundle it has its default export alone.
  const { default: yaml } = await import('yaml');
  const parsed: unknown = yaml.parse(text) ?? {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw ConfigInvalid({ source: file, problem: 'it is not a list of settings (key: value)' });
  }
  return parsed as Record<string, unknown>;
}

/** @throws ESP_CONFIG_INVALID naming the setting and where it came from */
export async function loadConfig(
  flags: Record<string, unknown>,
  env: NodeJS.ProcessEnv,
  file = env.ESPALIER_AGENT_CONFIG ?? CONFIG_FILE,
): Promise<AgentConfig> {
  const settings = Object.keys(AgentConfig.shape);
  const present = (source: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const sources = [
    { name: file, values: present(await fromFile(file)) },
    {
      name: 'the environment',
      values: present(Object.fromEntries(settings.map((setting) => [setting, env[envName(setting)]]))),
    },
    { name: 'the command line', values: present(flags) },
  ];
  const merged = Object.assign({}, ...sources.map(({ values }) => values)) as Record<string, unknown>;
  const result = AgentConfig.safeParse(merged);
  if (result.success) return { ...result.data, dataDir: path.resolve(result.data.dataDir) };
  const issue = result.error.issues[0];
  const setting = String(issue?.path[0] ?? (issue && 'keys' in issue ? issue.keys[0] : ''));
  const source = sources.findLast(({ values }) => setting in values)?.name ?? file;
  throw ConfigInvalid({ source, problem: `${setting}: ${issue?.message}` });
}

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigInvalid } from './errors.js';

const port = z.coerce.number().int('a whole port number').min(0).max(65_535);

const Settings = z.object({
  dataDir: z.string().min(1),
  host: z.string().min(1).default('127.0.0.1'),
  /** The name or address under which devices and people reach this machine; in certificates and printed addresses. */
  publicHost: z.string().min(1).optional(),
  httpPort: port.default(4280),
  grpcPort: port.default(4281),
  mqttPort: port.default(4282),
  enrolPort: port.default(4283),
  /** postgres://...; without it the embedded database is used. */
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres://')
    .optional(),
  databasePool: z.coerce.number().int().min(1).max(100).default(5),
  databaseWaitMs: z.coerce.number().int().min(100).default(15_000),
  /** mqtts://host:port of a real broker; without it the embedded one is used. */
  mqttUrl: z
    .string()
    .regex(/^mqtts:\/\//, 'must start with mqtts://')
    .optional(),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** With it, /metrics answers others than this machine too, to `Authorization: Bearer`. */
  metricsToken: z.string().min(16).optional(),
  certificateDays: z.coerce.number().min(0.01).max(397).default(30),
  /** A device that said nothing for so long counts as offline, whatever its broker session says. */
  offlineAfterS: z.coerce.number().int().min(5).default(600),
  uploadLimitBytes: z.coerce.number().int().min(1_000_000).default(4_000_000_000),
});
export type Settings = z.infer<typeof Settings>;
export type SettingName = keyof Settings;

/** The environment variable of each setting. */
export const VARIABLES: Readonly<Record<SettingName, string>> = {
  dataDir: 'ESPALIER_DATA_DIR',
  host: 'ESPALIER_HOST',
  publicHost: 'ESPALIER_PUBLIC_HOST',
  httpPort: 'ESPALIER_HTTP_PORT',
  grpcPort: 'ESPALIER_GRPC_PORT',
  mqttPort: 'ESPALIER_MQTT_PORT',
  enrolPort: 'ESPALIER_ENROL_PORT',
  databaseUrl: 'DATABASE_URL',
  databasePool: 'ESPALIER_DATABASE_POOL',
  databaseWaitMs: 'ESPALIER_DATABASE_WAIT_MS',
  mqttUrl: 'MQTT_URL',
  logLevel: 'ESPALIER_LOG_LEVEL',
  metricsToken: 'ESPALIER_METRICS_TOKEN',
  certificateDays: 'ESPALIER_CERTIFICATE_DAYS',
  offlineAfterS: 'ESPALIER_OFFLINE_AFTER_S',
  uploadLimitBytes: 'ESPALIER_UPLOAD_LIMIT_BYTES',
};

/** The validated configuration; injected as it is. */
export class Config implements Settings {
  declare readonly dataDir: string;
  declare readonly host: string;
  declare readonly publicHost: string | undefined;
  declare readonly httpPort: number;
  declare readonly grpcPort: number;
  declare readonly mqttPort: number;
  declare readonly enrolPort: number;
  declare readonly databaseUrl: string | undefined;
  declare readonly databasePool: number;
  declare readonly databaseWaitMs: number;
  declare readonly mqttUrl: string | undefined;
  declare readonly logLevel: Settings['logLevel'];
  declare readonly metricsToken: string | undefined;
  declare readonly certificateDays: number;
  declare readonly offlineAfterS: number;
  declare readonly uploadLimitBytes: number;

  constructor(settings: Settings) {
    Object.assign(this, settings, { dataDir: path.resolve(settings.dataDir) });
  }

  /** The host in addresses handed out: the public one, else what is listened on, where a client can use that. */
  get reachableHost(): string {
    if (this.publicHost) return this.publicHost;
    return this.host === '0.0.0.0' || this.host === '::' ? 'localhost' : this.host;
  }

  /** A path below the data directory. */
  under(...parts: string[]): string {
    return path.join(this.dataDir, ...parts);
  }
}

export interface ConfigSources {
  readonly flags: Partial<Record<SettingName, unknown>>;
  readonly env: NodeJS.ProcessEnv;
  /** A YAML or JSON file of settings; null: none. One that is named must exist. */
  readonly file: string | null;
  readonly defaultDataDir: string;
}

/**
 * Defaults, then the file, then the environment, then flags; the last one that names a setting wins.
 * @throws ESP_CONFIG_INVALID naming the setting and where it came from
 */
export function loadConfig({ flags, env, file, defaultDataDir }: ConfigSources): Config {
  const fromFile = file === null ? {} : readSettings(file);
  const merged: Record<string, unknown> = { dataDir: defaultDataDir, ...fromFile };
  const source = new Map<string, string>(Object.keys(fromFile).map((name) => [name, file!]));
  for (const [name, variable] of Object.entries(VARIABLES)) {
    if (env[variable]) {
      merged[name] = env[variable];
      source.set(name, `the environment variable ${variable}`);
    }
  }
  for (const [name, value] of Object.entries(flags)) {
    if (value !== undefined) {
      merged[name] = value;
      source.set(name, 'the command line');
    }
  }
  const parsed = z.strictObject(Settings.shape).safeParse(merged);
  if (parsed.success) return new Config(parsed.data);
  const issue = parsed.error.issues[0]!;
  const setting = String(issue.path[0] ?? (issue.code === 'unrecognized_keys' ? issue.keys[0] : 'configuration'));
  throw ConfigInvalid({ setting, reason: issue.message, source: source.get(setting) ?? file ?? 'defaults' });
}

function readSettings(file: string): Record<string, unknown> {
  if (!existsSync(file)) throw ConfigInvalid({ setting: '--config', reason: 'no such file', source: file });
  try {
    const settings: unknown = parse(readFileSync(file, 'utf8')) ?? {};
    if (typeof settings === 'object' && !Array.isArray(settings)) return settings as Record<string, unknown>;
  } catch (error) {
    throw ConfigInvalid({ setting: '--config', reason: (error as Error).message, source: file });
  }
  throw ConfigInvalid({ setting: '--config', reason: 'not a map of settings', source: file });
}

import type { AgentConfig } from '../config.js';
import type { PoolSettings } from '../runtime/model-pool.js';

/** What the configuration says of serving, as the pools take it. */
export const poolSettings = ({ queueLimit, queueBytes, latencyLimitMs, hangLimitS }: AgentConfig): PoolSettings => ({
  ...{ queueLimit, queueBytes, latencyLimitMs: latencyLimitMs ?? null },
  ...{ hangLimitMs: hangLimitS * 1000, now: () => performance.now() },
});

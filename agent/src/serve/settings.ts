import os from 'node:os';
import type { Facts } from '@espalier/proto';
import type { Log } from '../common/log.js';
import type { AgentConfig } from '../config.js';
import type { PoolSettings } from '../runtime/model-pool.js';
import { PlanStore } from '../runtime/tuning/plan-store.js';
import { Tuner } from '../runtime/tuning/tuner.js';
import type { EndpointSettings } from './endpoints.js';

/** What the configuration says of serving, as the pools take it. */
export const poolSettings = ({ queueLimit, queueBytes, latencyLimitMs, hangLimitS }: AgentConfig): PoolSettings => ({
  ...{ queueLimit, queueBytes, latencyLimitMs: latencyLimitMs ?? null },
  ...{ hangLimitMs: hangLimitS * 1000, cpus: os.availableParallelism(), now: () => performance.now() },
});

/** The tuner that the configuration asks for, with its plans in a folder. @param afterMs for how long a model is left alone */
export const makeTuner = (config: AgentConfig, folder: string, cpu: Facts['cpu'], log: Log, afterMs = 0): Tuner =>
  new Tuner({
    ...{ store: new PlanStore(folder), cpu, log, largestBatch: config.largestBatch, afterMs },
    ...{ limitMs: config.tuneLimitS * 1000, latencyLimitMs: config.latencyLimitMs ?? null },
  });

export const endpointSettings = ({ host, port, grpcPort, socket, grpcSocket }: AgentConfig): EndpointSettings => ({
  ...{ host, port, grpcPort, socket, grpcSocket },
});

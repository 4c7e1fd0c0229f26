import type { Registry } from 'prom-client';
import type { Serving } from './serving.js';

export interface AgentMetrics {
  text(): Promise<string>;
}

/** Prometheus metrics of the agent, read from what it serves; loaded when they are asked for, as many devices never are. */
export function makeMetrics(serving: Serving, outboxLength: () => number): AgentMetrics {
  let registry: Promise<Registry> | null = null;
  return {
    text: async () => {
      registry ??= makeRegistry(serving, outboxLength);
      return (await registry).metrics();
    },
  };
}

async function makeRegistry(serving: Serving, outboxLength: () => number): Promise<Registry> {
  // A CommonJS package: in the bundle it has its default export alone.
  const { Counter, collectDefaultMetrics, Gauge, Registry } = (await import('prom-client')).default;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  counter('espalier_requests_total', 'Inference requests since start', () => serving.requests);
  counter('espalier_request_failures_total', 'Inference requests that the model failed', () => serving.failures);
  new Counter({
    ...{ name: 'espalier_exits_total', help: 'Rows of the model that serves, by the stage at which they ended' },
    ...{ labelNames: ['stage'], registers: [registry] },
    collect() {
      this.reset();
      for (const [stage, count] of (serving.served?.pool.statistics.exits ?? []).entries()) this.inc({ stage }, count);
    },
  });
  new Gauge({
    ...{ name: 'espalier_runtime', help: '1 for the runtime by which the model is served, with its version' },
    ...{ labelNames: ['adapter', 'version'], registers: [registry] },
    collect() {
      this.reset();
      const { served } = serving;
      if (served) this.set({ ...served.pool.runtime }, 1);
    },
  });
  gauge('espalier_healthy', '1 while a model is served', () => Number(serving.healthy));
  gauge('espalier_queue_length', 'Requests that wait for the model', () => serving.served?.pool.queued ?? 0);
  gauge('espalier_outbox_length', 'Reports that the controller has not acknowledged', outboxLength);
  return registry;
}

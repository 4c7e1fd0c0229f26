import type { DeviceRecord } from '../devices/device.service.js';
import type { DeviceLatency } from '../devices/summarize.js';
import type { ExecutionEntity, GroupEntity, RolloutEntity } from './rollout.entity.js';
import type { TickExecution, TickGroup, TickInput, TickLatency, TickLimits } from './rollout.types.js';

/** What is known of a rollout, as rows. */
export interface RolloutRows {
  readonly rollout: RolloutEntity;
  readonly groups: readonly GroupEntity[];
  readonly executions: readonly ExecutionEntity[];
  readonly devices: ReadonlyMap<string, DeviceRecord>;
  /** Latency of new and earlier artifacts on these devices. */
  readonly latencies: readonly DeviceLatency[];
}

/** Rows as the pure decision reads them. On the way back only the executions of the way back count. */
export function readTickInput(rows: RolloutRows, limits: TickLimits): TickInput {
  const { rollout, devices } = rows;
  const direction = rollout.state === 'ROLLING_BACK' ? 'back' : 'out';
  const executions = rows.executions.filter((execution) => execution.direction === direction);
  return {
    state: rollout.state,
    gate: rollout.gate,
    groups: rows.groups.map(toGroup),
    executions: executions.map((execution) => toExecution(execution, devices.get(execution.deviceId))),
    latencies: latenciesOf(executions, rows.latencies),
    limits,
  };
}

const toGroup = (group: GroupEntity): TickGroup => ({
  index: group.index,
  plan: group.plan,
  state: group.state,
  total: group.total,
  startedAtMs: group.startedAt?.getTime() ?? null,
  soakUntilMs: group.soakUntil?.getTime() ?? null,
  blockedSinceMs: group.blockedSince?.getTime() ?? null,
});

const toExecution = (execution: ExecutionEntity, device: DeviceRecord | undefined): TickExecution => ({
  id: execution.id,
  deviceId: execution.deviceId,
  profile: execution.profile,
  group: execution.group,
  state: execution.state,
  online: device?.online ?? false,
  removed: device === undefined,
  skipped: execution.skipped,
  dispatchedAtMs: execution.dispatchedAt?.getTime() ?? null,
  updatedAtMs: execution.updatedAt.getTime(),
});

/** What each device measured of its new artifact since it was dispatched, beside what it measured of the one before. */
function latenciesOf(executions: readonly ExecutionEntity[], all: readonly DeviceLatency[]): Map<string, TickLatency> {
  const byKey = new Map(all.map((latency) => [`${latency.deviceId} ${latency.digest}`, latency]));
  const found = new Map<string, TickLatency>();
  for (const execution of executions) {
    const latest = byKey.get(`${execution.deviceId} ${execution.digest}`);
    if (!latest || latest.p95Us === null || !execution.dispatchedAt) continue;
    if (latest.measuredAt < execution.dispatchedAt) continue;
    const before = byKey.get(`${execution.deviceId} ${execution.previousDigest}`);
    const { p95Us, n, class: kind } = latest;
    found.set(execution.id, { p95Us, n, class: kind, previousP95Us: before?.p95Us ?? null });
  }
  return found;
}

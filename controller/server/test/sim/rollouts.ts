/** Simulated rollouts: nextTick decides, and plain data takes what its steps do. */
import { nextTick } from '@espalier/server/rollouts/next-tick';
import type { Step, TickInput, TickLatency } from '@espalier/server/rollouts/rollout.types';
import { ROLLOUT_LIMITS } from '@espalier/server/rollouts/rollout-ticker';
import type { Random } from './random.ts';
import type { SimRollout, SimState } from './state.ts';

const PLANS = [
  { name: 'canary', percent: 10, successThreshold: 100, errorThreshold: 20, soakSeconds: 10 },
  { name: 'rest', percent: 100, successThreshold: 95, errorThreshold: 20, soakSeconds: 0 },
];

export function newRollout(state: SimState, variantId: string, byLoop: boolean, nowMs: number): SimRollout {
  const variant = state.variants.find(({ id }) => id === variantId)!;
  const canary = Math.max(1, Math.floor(state.devices.length / 10));
  return {
    ...{ id: `r${state.nextId++}`, variantId, byLoop, digest: variant.digest!, previous: state.devices[0]!.serving },
    ...{ state: 'RUNNING', reason: '' },
    groups: PLANS.map((plan, index) => ({
      ...{
        index,
        plan,
        state: 'READY' as const,
        total: null,
        startedAtMs: null,
        soakUntilMs: null,
        blockedSinceMs: null,
      },
    })),
    executions: state.devices.map((device, at) => ({
      ...{ id: `e${at}`, deviceId: device.id, profile: 'p', group: at < canary ? 0 : 1, state: 'QUEUED' as const },
      ...{ online: device.online, removed: false, skipped: false, dispatchedAtMs: null, updatedAtMs: nowMs },
    })),
  };
}

/** One tick of one rollout, its devices included. */
export function tickRollout(state: SimState, rollout: SimRollout, nowMs: number, random: Random): void {
  answer(state, rollout, nowMs, random);
  for (const step of nextTick(readInput(state, rollout), nowMs)) take(rollout, step, nowMs);
}

/** Devices that are online take what was offered; one in fifty fails. */
function answer(state: SimState, rollout: SimRollout, nowMs: number, random: Random): void {
  for (const execution of rollout.executions) {
    const device = state.devices.find(({ id }) => id === execution.deviceId)!;
    execution.online = device.online;
    if (execution.state !== 'IN_PROGRESS' || !device.online || random.chance(0.3)) continue;
    execution.state = random.chance(0.02) ? 'FAILED' : 'SUCCEEDED';
    execution.updatedAtMs = nowMs;
    if (execution.state === 'SUCCEEDED') device.serving = rollout.digest;
  }
}

function readInput(state: SimState, rollout: SimRollout): TickInput {
  const latencies = new Map<string, TickLatency>();
  for (const { id, deviceId, dispatchedAtMs } of rollout.executions) {
    const windows = state.devices.find((device) => device.id === deviceId)!.windows;
    const best = windows
      .filter(({ digest, endedAtMs }) => digest === rollout.digest && endedAtMs >= (dispatchedAtMs ?? Infinity))
      .toSorted((a, b) => Number(b.class === 'clean') - Number(a.class === 'clean'))[0];
    if (best) latencies.set(id, { p95Us: best.p95Us!, n: best.n, class: best.class, previousP95Us: null });
  }
  const { groups, executions } = rollout;
  const gate = { p95Us: state.budgetUs, maxRegression: null, minDevices: 1 };
  return { state: rollout.state, gate, groups, executions, latencies, limits: ROLLOUT_LIMITS };
}

function take(rollout: SimRollout, step: Step, nowMs: number): void {
  const group = 'index' in step ? rollout.groups[step.index]! : null;
  const members = 'executionIds' in step ? rollout.executions.filter(({ id }) => step.executionIds.includes(id)) : [];
  switch (step.kind) {
    case 'startGroup':
      return void Object.assign(group!, { state: 'RUNNING', total: step.total, startedAtMs: nowMs });
    case 'dispatch':
      for (const one of members)
        Object.assign(one, { state: 'IN_PROGRESS', dispatchedAtMs: nowMs, updatedAtMs: nowMs });
      return;
    case 'timeOut':
      for (const one of members) one.state = 'TIMED_OUT';
      return;
    case 'skipOffline':
      for (const one of members) Object.assign(one, { state: 'CANCELED', skipped: true });
      return;
    case 'startSoak':
      return void Object.assign(group!, { state: 'SOAKING', soakUntilMs: step.untilMs });
    case 'markBlocked':
      return void Object.assign(group!, { blockedSinceMs: step.sinceMs });
    case 'finishGroup':
      return void Object.assign(group!, { state: 'FINISHED', blockedSinceMs: null });
    case 'failGroup':
      return void Object.assign(group!, { state: 'ERROR' });
    case 'abort':
      for (const one of rollout.executions) if (one.state === 'QUEUED') one.state = 'CANCELED';
      return void Object.assign(rollout, { state: 'STOPPING', reason: step.reason });
    case 'pause':
      return void Object.assign(rollout, { state: 'PAUSED', reason: step.reason });
    case 'finish':
      return void Object.assign(rollout, { state: 'FINISHED', reason: step.reason });
    case 'endStopped':
      return void Object.assign(rollout, { state: 'STOPPED', reason: step.reason ?? rollout.reason });
    default:
      return;
  }
}

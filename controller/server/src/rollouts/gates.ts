import type { GatePlan, GateView, GroupPlan } from '@espalier/proto/api';
import type { TickExecution, TickGroup, TickInput, TickLatency } from './rollout.types.js';

export interface Counts {
  /** The frozen denominator less what was removed or skipped since. */
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly timedOut: number;
  readonly rejected: number;
  readonly canceled: number;
  readonly queued: number;
  readonly inFlight: number;
  /** REMOVED, and offline until the deadline. */
  readonly skipped: number;
  /** SUCCEEDED + FAILED + TIMED_OUT + REJECTED. */
  readonly executed: number;
}

export function countGroup(executions: readonly TickExecution[], frozenTotal: number | null): Counts {
  const count = (...states: TickExecution['state'][]): number =>
    executions.filter((execution) => !execution.skipped && states.includes(execution.state)).length;
  const skipped = executions.filter((execution) => execution.skipped || execution.state === 'REMOVED').length;
  return {
    total: Math.max(0, (frozenTotal ?? executions.length) - skipped),
    succeeded: count('SUCCEEDED'),
    failed: count('FAILED'),
    timedOut: count('TIMED_OUT'),
    rejected: count('REJECTED'),
    canceled: count('CANCELED'),
    queued: count('QUEUED'),
    inFlight: count('IN_PROGRESS'),
    skipped,
    executed: count('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'REJECTED'),
  };
}

/** Share in percent; 0 of 0 is 0, so that nothing passes a threshold for want of devices. */
export const percentOf = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);

const isTrusted = (latency: TickLatency): boolean => latency.class === 'clean' || latency.class === 'contended';

/** The value that `percent` percent of the devices stay at or below: the worst device at 100. */
export function atShare(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? null;
}

interface Cohort {
  readonly profile: string;
  readonly size: number;
  readonly latencies: readonly TickLatency[];
  readonly untrusted: number;
}

function cohorts(input: TickInput, members: readonly TickExecution[], anyClass: boolean): Cohort[] {
  const succeeded = members.filter((execution) => execution.state === 'SUCCEEDED');
  return [...Map.groupBy(succeeded, (execution) => execution.profile)].map(([profile, executions]) => {
    const all = executions.flatMap((execution) => input.latencies.get(execution.id) ?? []);
    const used = anyClass ? all : all.filter(isTrusted);
    return {
      profile,
      size: executions.length,
      latencies: used,
      untrusted: all.filter((one) => !isTrusted(one)).length,
    };
  });
}

interface Measure {
  readonly name: string;
  readonly unit: GateView['unit'];
  readonly threshold: number;
  readonly read: (latency: TickLatency) => number | null;
}

function measureGate(cohort: Cohort, measure: Measure, plan: GroupPlan, minDevices: number): GateView {
  const values = cohort.latencies.flatMap((latency) => measure.read(latency) ?? []);
  const minimum = Math.min(minDevices, cohort.size);
  const base = {
    name: measure.name,
    profile: cohort.profile,
    threshold: measure.threshold,
    unit: measure.unit,
    minimum,
  };
  if (values.length < minimum) {
    const untrusted =
      cohort.untrusted > 0 ? `; ${cohort.untrusted} measured in windows that cannot be trusted yet` : '';
    const reason = `waits for measurements: ${values.length} of ${minimum} devices${untrusted}`;
    return { ...base, value: null, n: values.length, verdict: 'waiting', reason };
  }
  const value = atShare(values, plan.successThreshold)!;
  const ok = value <= measure.threshold;
  const classes = [...new Set(cohort.latencies.map((latency) => latency.class))].join(', ');
  const reason = `${plan.successThreshold}% of ${values.length} devices are at or below ${round(value)}, ${ok ? 'within' : 'over'} ${round(measure.threshold)} (${classes} windows)`;
  return { ...base, value, n: values.length, verdict: ok ? 'ok' : 'blocks', reason };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Gates on latency, one set a hardware-profile cohort: good ARM figures must not hide a bad x86 variant. */
function latencyGates(input: TickInput, group: TickGroup, members: readonly TickExecution[], now: number): GateView[] {
  const gate: GatePlan = input.gate;
  const waitedMs = now - (group.soakUntilMs ?? now);
  const anyClass = group.soakUntilMs !== null && waitedMs >= input.limits.untrustedMs;
  return cohorts(input, members, anyClass).flatMap((cohort) => {
    const gates: GateView[] = [];
    if (gate.p95Us !== null) {
      const measure: Measure = { name: 'p95', unit: 'us', threshold: gate.p95Us, read: (one) => one.p95Us };
      gates.push(measureGate(cohort, measure, group.plan, gate.minDevices));
    }
    // A device with no earlier figure has nothing to regress from, so it cannot hold the group up.
    const comparable = cohort.latencies.filter((latency) => latency.previousP95Us !== null);
    if (gate.maxRegression !== null && comparable.length > 0) {
      const read = (one: TickLatency): number | null =>
        one.previousP95Us === null ? null : one.p95Us / one.previousP95Us;
      const measure: Measure = { name: 'p95 against before', unit: 'ratio', threshold: gate.maxRegression, read };
      gates.push(measureGate(cohort, measure, group.plan, Math.min(gate.minDevices, comparable.length)));
    }
    return gates;
  });
}

/** Every gate of a running group, in the order they are shown: success, soak, then latency by profile. */
export function groupGates(input: TickInput, group: TickGroup, now: number): GateView[] {
  const members = input.executions.filter((execution) => execution.group === group.index);
  const counts = countGroup(members, group.total);
  const value = percentOf(counts.succeeded, counts.total);
  const threshold = group.plan.successThreshold;
  const open = counts.queued + counts.inFlight > 0;
  const met = counts.total > 0 && value >= threshold;
  const success: GateView = {
    name: 'succeeded',
    profile: null,
    value,
    threshold,
    unit: 'percent',
    n: counts.succeeded,
    minimum: Math.ceil((counts.total * threshold) / 100),
    verdict: met ? 'ok' : open ? 'waiting' : 'blocks',
    reason: `${counts.succeeded} of ${counts.total} devices succeeded`,
  };
  if (!met) return [success];
  const leftMs = Math.max(0, (group.soakUntilMs ?? now + group.plan.soakSeconds * 1000) - now);
  const soak: GateView = {
    name: 'soak',
    profile: null,
    value: group.plan.soakSeconds - Math.ceil(leftMs / 1000),
    threshold: group.plan.soakSeconds,
    unit: 'seconds',
    n: counts.succeeded,
    minimum: 0,
    verdict: leftMs > 0 ? 'waiting' : 'ok',
    reason: leftMs > 0 ? `${Math.ceil(leftMs / 1000)} s left` : `stayed good for ${group.plan.soakSeconds} s`,
  };
  return [success, soak, ...latencyGates(input, group, members, now)];
}

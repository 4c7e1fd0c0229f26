import type { GateView } from '@espalier/proto/api';
import { type Counts, countGroup, groupGates, percentOf } from './gates.js';
import type { Criterion, Step, TickExecution, TickGroup, TickInput } from './rollout.types.js';

/** Shares of the executed at which a rollout stops by itself, in percent. */
export const ABORT_THRESHOLDS: Readonly<Record<Criterion, number>> = { FAILED: 20, TIMED_OUT: 50 };

/** So many must have executed before a share means anything: 10% of the group, but 3 to 100. */
export const minExecuted = (groupTotal: number): number => Math.max(3, Math.min(100, Math.ceil(groupTotal / 10)));

/**
 * What a rollout does next. Pure, and idempotent: once its steps are done, the same time gives no other than recordGates.
 * Order: losses, abort, error, success with soak and gates, complete but short, dispatch. Never advances past a
 * threshold that was not met.
 */
export function nextTick(input: TickInput, now: number): Step[] {
  if (!['RUNNING', 'PAUSED', 'STOPPING', 'ROLLING_BACK'].includes(input.state)) return [];
  const losses = findLosses(input, now);
  if (losses.length > 0) return losses;
  if (input.state === 'PAUSED') return [];
  if (input.state === 'STOPPING') return isQuiet(input) ? [{ kind: 'endStopped', reason: null }] : [];
  if (input.state === 'ROLLING_BACK') return isQuiet(input) ? [endRollback(input)] : [];

  const group = input.groups.find((candidate) => candidate.state !== 'FINISHED');
  if (!group) return [endOf(input)];
  const members = input.executions.filter((execution) => execution.group === group.index);
  if (group.startedAtMs === null) return startGroup(group, members);

  const counts = countGroup(members, group.total);
  const abort = findAbort(counts);
  if (abort) return [abort];
  const failedPercent = percentOf(counts.failed + counts.timedOut, counts.total);
  if (failedPercent > group.plan.errorThreshold) {
    const reason = `ERROR_THRESHOLD: ${counts.failed + counts.timedOut} of ${counts.total} devices of group ${group.plan.name} failed (${failedPercent.toFixed(0)}%, allowed ${group.plan.errorThreshold}%)`;
    return [
      { kind: 'failGroup', index: group.index, reason },
      { kind: 'pause', reason },
    ];
  }
  const gates = groupGates(input, group, now);
  return [{ kind: 'recordGates', index: group.index, gates }, ...advance(input, group, members, counts, gates, now)];
}

function startGroup(group: TickGroup, members: readonly TickExecution[]): Step[] {
  if (members.length === 0) return [{ kind: 'finishGroup', index: group.index, reason: 'no device falls into it' }];
  return [{ kind: 'startGroup', index: group.index, total: members.length }];
}

/** Devices that left, fell silent, or stayed offline past the deadline. */
function findLosses(input: TickInput, now: number): Step[] {
  const { silenceMs, offlineMs } = input.limits;
  const open = input.executions.filter((one) => one.state === 'QUEUED' || one.state === 'IN_PROGRESS');
  const removed = open.filter((one) => one.removed);
  const silent = open.filter((one) => !one.removed && one.state === 'IN_PROGRESS' && now - one.updatedAtMs > silenceMs);
  const startedAtMs = new Map(input.groups.map((group) => [group.index, group.startedAtMs]));
  const absent = open.filter((one) => {
    const started = startedAtMs.get(one.group) ?? null;
    return !one.removed && one.state === 'QUEUED' && !one.online && started !== null && now - started > offlineMs;
  });
  const ids = (list: readonly TickExecution[]): string[] => list.map((one) => one.id);
  const steps: Step[] = [];
  if (removed.length > 0) steps.push({ kind: 'markRemoved', executionIds: ids(removed) });
  if (silent.length > 0) steps.push({ kind: 'timeOut', executionIds: ids(silent), silenceMs });
  if (absent.length > 0) steps.push({ kind: 'skipOffline', executionIds: ids(absent), offlineMs });
  return steps;
}

/** How near each abort criterion is in a group; also what the page shows. */
export function abortDistances(
  counts: Counts,
): { criterion: Criterion; valuePercent: number; thresholdPercent: number; executed: number; minExecuted: number }[] {
  return (['FAILED', 'TIMED_OUT'] as const).map((criterion) => ({
    criterion,
    valuePercent: percentOf(criterion === 'FAILED' ? counts.failed : counts.timedOut, counts.executed),
    thresholdPercent: ABORT_THRESHOLDS[criterion],
    executed: counts.executed,
    minExecuted: minExecuted(counts.total),
  }));
}

function findAbort(counts: Counts): Step | null {
  for (const one of abortDistances(counts)) {
    if (one.executed < one.minExecuted || one.valuePercent < one.thresholdPercent) continue;
    const reason = `ABORTED: ${one.valuePercent.toFixed(0)}% of ${one.executed} executed devices ${one.criterion}, limit ${one.thresholdPercent}%`;
    return { kind: 'abort', criterion: one.criterion, reason };
  }
  return null;
}

function advance(
  input: TickInput,
  group: TickGroup,
  members: readonly TickExecution[],
  counts: Counts,
  gates: readonly GateView[],
  now: number,
): Step[] {
  const queued = dispatchable(input, members);
  const dispatch: Step[] = queued.length > 0 ? [{ kind: 'dispatch', executionIds: queued }] : [];
  const success = gates[0]!;
  const allRemoved = counts.total === 0 && counts.queued + counts.inFlight === 0;
  if (allRemoved && counts.skipped === members.filter((one) => one.state === 'REMOVED').length) {
    return [{ kind: 'finishGroup', index: group.index, reason: 'REMOVED: all its devices were removed' }];
  }
  if (success.verdict === 'blocks') {
    const reason = `THRESHOLD_UNMET: group ${group.plan.name} is complete with ${success.reason}, ${success.threshold}% needed`;
    return [{ kind: 'pause', reason }];
  }
  if (success.verdict === 'waiting') return dispatch;
  if (group.soakUntilMs === null) {
    return [...dispatch, { kind: 'startSoak', index: group.index, untilMs: now + group.plan.soakSeconds * 1000 }];
  }
  return [...dispatch, ...judgeGates(input, group, gates, now)];
}

/** After the success threshold: wait for soak and gates, pause on one that stays bad, or finish the group. */
function judgeGates(input: TickInput, group: TickGroup, gates: readonly GateView[], now: number): Step[] {
  const { blockedMs, unmeasuredMs } = input.limits;
  const soaked = now >= group.soakUntilMs!;
  const blocking = gates.filter((gate) => gate.verdict === 'blocks');
  if (blocking.length === 0 && group.blockedSinceMs !== null) {
    return [{ kind: 'markBlocked', index: group.index, sinceMs: null }];
  }
  if (blocking.length > 0) {
    if (group.blockedSinceMs === null) return [{ kind: 'markBlocked', index: group.index, sinceMs: now }];
    if (!soaked || now - group.blockedSinceMs < blockedMs) return [];
    const gate = blocking[0]!;
    return [{ kind: 'pause', reason: `GATE_BLOCKED: ${gate.name} of ${gate.profile ?? 'all'}: ${gate.reason}` }];
  }
  const waiting = gates.find((gate) => gate.verdict === 'waiting');
  if (!waiting)
    return [{ kind: 'finishGroup', index: group.index, reason: gates.map((gate) => gate.reason).join('; ') }];
  if (soaked && now - group.soakUntilMs! > unmeasuredMs) {
    return [
      { kind: 'pause', reason: `GATE_UNMEASURED: ${waiting.name} of ${waiting.profile ?? 'all'} ${waiting.reason}` },
    ];
  }
  return [];
}

/** Online devices of the group in order, up to the in-flight limit of the rollout. */
function dispatchable(input: TickInput, members: readonly TickExecution[]): string[] {
  const inFlight = input.executions.filter((one) => one.state === 'IN_PROGRESS').length;
  return members
    .filter((one) => one.state === 'QUEUED' && one.online)
    .slice(0, Math.max(0, input.limits.inFlightMax - inFlight))
    .map((one) => one.id);
}

/** A rollout whose devices all left did not succeed: it ends STOPPED. */
function endOf(input: TickInput): Step {
  const counts = countGroup(input.executions, null);
  if (input.executions.length > 0 && counts.total === 0) {
    return { kind: 'endStopped', reason: 'REMOVED: all its devices were removed' };
  }
  return { kind: 'finish', reason: `${counts.succeeded} of ${counts.total} devices succeeded` };
}

/** Nothing is in progress any more: what was under way when it was stopped may finish. */
const isQuiet = (input: TickInput): boolean => input.executions.every((one) => one.state !== 'IN_PROGRESS');

/** In ROLLING_BACK the executions are those of the way back. */
function endRollback(input: TickInput): Step {
  const back = input.executions.filter((one) => one.state === 'SUCCEEDED').length;
  const failed = input.executions.length - back;
  const rest = failed > 0 ? `; ${failed} could not go back` : '';
  return { kind: 'endRolledBack', reason: `${back} devices are back on what they served before${rest}` };
}

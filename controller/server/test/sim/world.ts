/** One profile of one model, its devices and its controller, under a virtual clock. A seed gives the whole run again. */
import { judgeRollout } from '@espalier/server/reoptimize/judge-rollout';
import { type Action, LOOP_LIMITS, type LoopInput, type LoopPolicy } from '@espalier/server/reoptimize/loop.types';
import { nextProposal } from '@espalier/server/reoptimize/next-proposal';
import { type Random, seeded } from './random.ts';
import { newRollout, tickRollout } from './rollouts.ts';
import { isOpen, type SimState } from './state.ts';
import { type Body, makeBodies, measure } from './weather.ts';

export const STEP_MS = 600_000;
const DAY_MS = 24 * 3_600_000;
const WINDOWS = 20;
/** Recipes by what they do to the latency of float. */
const GAINS = { float: 1, int8: 1.6, 'pruned-int8': 2.2 } as const;
/** So far from the budget the truth leaves no doubt: devices differ by 2%, a cold night makes 3%, noise 2%. */
const CLEAR = 1.08;

export interface Findings {
  deviceDays: number;
  proposals: number;
  rollouts: number;
  kills: number;
  /** Begun though the truth meets the budget, or on what only windows that are not clean say. */
  falseTriggers: number;
  /** A build that the loop sent out twice under one budget, or one that is slower than what it replaced. */
  oscillations: number;
  /** Steps at which the truth missed the budget and a faster recipe was never tried. */
  missed: number;
}

/** Ways to break the loop, to see that the simulation notices. */
export interface Sabotage {
  readonly contended?: boolean;
  readonly forgetful?: boolean;
}

class Killed extends Error {}

export class World {
  readonly findings: Findings = {
    ...{ deviceDays: 0, proposals: 0, rollouts: 0, kills: 0, falseTriggers: 0, oscillations: 0, missed: 0 },
  };
  readonly #sabotage: Sabotage;
  readonly #random: Random;
  readonly #bodies: readonly Body[];
  readonly #baseUs: number;
  readonly #misled: boolean;
  readonly #policy: LoopPolicy;
  #sent = new Set<string>();
  #nowMs = 0;
  #state: SimState;

  constructor(seed: number, devices: number, sabotage: Sabotage = {}) {
    this.#sabotage = sabotage;
    this.#random = seeded(seed);
    this.#bodies = makeBodies(this.#random, 'd', devices);
    this.#baseUs = this.#random.between(200, 50_000);
    this.#misled = this.#random.chance(0.15);
    const contended = sabotage.contended ?? false;
    this.#policy = { model: true, profile: true, approval: this.#random.chance(0.1), contended };
    this.#state = this.#first();
  }

  run(days: number): Findings {
    for (let step = 0; step < (days * DAY_MS) / STEP_MS; step++) {
      this.#nowMs += STEP_MS;
      try {
        this.#step(step);
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        this.findings.kills++;
        this.#restart();
      }
    }
    this.findings.deviceDays = days * this.#bodies.length;
    if (this.#truth() > this.#state.budgetUs * CLEAR && this.#state.history.length === 0) this.findings.missed++;
    return this.findings;
  }

  #first(): SimState {
    const variant = (recipe: 'float', at: number) => ({
      ...{
        id: `v${at}`,
        recipe,
        method: recipe,
        state: 'ready' as const,
        note: null,
        digest: `d${at}`,
        accuracyDrop: 0,
        doubt: null,
      },
      ...{
        sizeBytes: 1,
        proofSpeedup: 1,
        runtime: 'ort 1',
        otherRuntimes: [],
        measuredP95Us: null,
        predictedUs: null,
        trialUs: null,
        trial: 'none' as const,
      },
      createdAtMs: 0,
    });
    return {
      devices: this.#bodies.map(({ id }) => ({ id, serving: 'd0', online: true, windows: [] })),
      ...{ variants: [variant('float', 0)], history: [], builds: [], jobs: [], rollouts: [], trials: [], nextId: 1 },
      budgetUs: this.#newBudget(),
      table: { state: 'absent', reason: '', narrowestUs: null, measuredAtMs: null, readyAtMs: null },
    };
  }

  /** Met by float, or missed by it, clearly. */
  #newBudget(): number {
    return Math.round(this.#baseUs * this.#random.pick([this.#random.between(1.1, 2), this.#random.between(0.3, 0.9)]));
  }

  #step(step: number): void {
    for (const [at, body] of this.#bodies.entries()) this.#live(body, at, step);
    this.#people();
    this.#work();
    for (const rollout of this.#state.rollouts.filter(isOpen))
      tickRollout(this.#state, rollout, this.#nowMs, this.#random);
    this.#mayDie();
    this.#judge();
    this.#decide();
  }

  /** Devices come and go, and measure every hour and after a switch. */
  #live(body: Body, at: number, step: number): void {
    const device = this.#state.devices[at]!;
    if (this.#random.chance(device.online ? 0.002 : 0.1)) device.online = !device.online;
    const isNew = device.windows[0]?.digest !== device.serving;
    if (!device.online || (!isNew && (step + at) % 6 !== 0)) return;
    const window = measure(this.#random, body, this.#truth(device.serving), this.#nowMs);
    device.windows = [{ ...window, digest: device.serving }, ...device.windows].slice(0, WINDOWS);
  }

  /** Undisturbed p95 of a build on a device of middle pace. */
  #truth(digest = this.#state.devices[0]!.serving): number {
    const { recipe } = this.#state.variants.find((one) => one.digest === digest)!;
    return this.#baseUs / GAINS[recipe];
  }

  /** Owners change budgets and roll out by hand, rarely; approvals are given within hours. */
  #people(): void {
    const { history, variants, rollouts } = this.#state;
    if (this.#random.chance(0.0005)) {
      Object.assign(this.#state, { budgetUs: this.#newBudget(), history: [] });
      this.#sent = new Set();
    }
    if (this.#random.chance(0.0005) && !rollouts.some(isOpen))
      rollouts.push(newRollout(this.#state, 'v0', false, this.#nowMs));
    const asked = history.find(({ action }) => action === 'ask' || action === 'approved');
    if (asked?.action === 'ask' && this.#random.chance(0.1))
      this.#note({ ...asked, action: this.#random.chance(0.8) ? 'approved' : 'declined' });
    const paused = rollouts.find((one) => !one.byLoop && one.state === 'PAUSED');
    if (paused) Object.assign(paused, { state: 'STOPPED' });
    for (const variant of variants) variant.measuredP95Us = null;
  }

  /** Jobs, tables and trials come to their end. */
  #work(): void {
    const state = this.#state;
    for (const job of state.jobs.filter(({ endsAtMs }) => endsAtMs <= this.#nowMs)) {
      const variant = state.variants.find(({ id }) => id === job.variantId)!;
      variant.state = this.#random.chance(0.05) ? 'failed' : 'ready';
      state.jobs = state.jobs.filter((one) => one !== job);
    }
    if (state.table.readyAtMs !== null && state.table.readyAtMs <= this.#nowMs) {
      const failed = this.#random.chance(0.3);
      Object.assign(
        state.table,
        failed ? { state: 'absent' } : { state: 'measured', narrowestUs: 1, measuredAtMs: this.#nowMs },
      );
      state.table.readyAtMs = null;
    }
    for (const trial of state.trials.filter(({ endsAtMs }) => endsAtMs <= this.#nowMs)) {
      const variant = state.variants.find(({ id }) => id === trial.variantId)!;
      const paceUs = variant.predictedUs! * (this.#misled ? 1.4 : this.#random.between(0.92, 1.08));
      Object.assign(variant, this.#random.chance(0.2) ? { trial: 'failed' } : { trialUs: paceUs });
      state.trials = state.trials.filter((one) => one !== trial);
    }
  }

  /** The verdicts on rollouts that the loop began. */
  #judge(): void {
    for (const decision of [...this.#state.history]) {
      if (decision.action !== 'rollout') continue;
      if (this.#state.history.some((one) => one.rolloutId === decision.rolloutId && one !== decision)) continue;
      const rollout = this.#state.rollouts.find(({ id }) => id === decision.rolloutId);
      const verdict = rollout ? judgeRollout({ state: rollout.state as never, reason: rollout.reason }) : null;
      if (!rollout || !verdict || verdict.kind === 'wait') continue;
      if (verdict.kind === 'rolled-back') {
        for (const device of this.#state.devices)
          if (device.serving === rollout.digest) device.serving = rollout.previous;
        rollout.state = 'STOPPED';
      }
      this.#note({ ...decision, action: verdict.kind });
    }
  }

  #decide(): void {
    const input = this.#read();
    const proposal = nextProposal(input, this.#nowMs);
    if (proposal.kind === 'wait') return;
    this.findings.proposals++;
    this.#check(input, proposal);
    this.#act(proposal);
  }

  #read(): LoopInput {
    const state = this.#state;
    const counts = Map.groupBy(state.devices, ({ serving }) => serving);
    const servingDigest = [...counts].toSorted((a, b) => b[1].length - a[1].length)[0]![0];
    return {
      ...{ policy: this.#policy, budget: { maxAccuracyDrop: 1, p95Us: state.budgetUs, maxSizeBytes: null } },
      ...{
        servingDigest,
        unbuilt: null,
        variants: state.variants,
        data: { samples: 5000, labelled: true },
        family: [],
      },
      devices: state.devices
        .filter(({ serving }) => serving === servingDigest)
        .map(({ id, windows }) => ({ id, windows: windows.filter(({ digest }) => digest === servingDigest) })),
      ...{ table: state.table, runtimes: ['ort 1'], builderRuntime: 'ort 1', servedBy: {}, limits: LOOP_LIMITS },
      busy: state.jobs.length > 0 ? 'job' : state.rollouts.some(isOpen) ? 'rollout' : null,
      history: this.#sabotage.forgetful ? [] : state.history,
      buildsToday: state.builds.filter((at) => this.#nowMs - at < DAY_MS).length,
    };
  }

  /** What must never happen. */
  #check(input: LoopInput, proposal: Action): void {
    const clean = input.devices.map(({ id, windows }) => ({
      id,
      windows: windows.filter((one) => one.class === 'clean'),
    }));
    const blind = nextProposal(
      { ...input, policy: { ...input.policy, contended: false }, devices: clean },
      this.#nowMs,
    );
    const isMet = this.#truth(input.servingDigest!) * CLEAR < input.budget.p95Us!;
    if (blind.kind !== proposal.kind || (proposal.trigger === 'budget-missed' && isMet)) this.findings.falseTriggers++;
    if (proposal.kind !== 'rollout') return;
    const served = input.variants.find(({ digest }) => digest === input.servingDigest)!;
    const isSlower = GAINS[proposal.recipe] <= GAINS[served.recipe];
    if (isSlower || this.#sent.has(proposal.variantId)) this.findings.oscillations++;
  }

  #act({ kind, recipe, ...rest }: Action): void {
    const state = this.#state;
    const decision = { action: kind, recipe, variantId: 'variantId' in rest ? rest.variantId : null, rolloutId: null };
    if (kind === 'build') {
      const id = `v${state.nextId++}`;
      const speed = GAINS[recipe];
      state.variants.push({
        ...{
          id,
          recipe,
          method: recipe,
          state: 'building',
          note: null,
          digest: `d${id}`,
          sizeBytes: 1,
          runtime: 'ort 1',
          otherRuntimes: [],
        },
        ...{
          accuracyDrop: this.#random.pick([0.1, 0.5, 0.9, 1.4]),
          doubt: null,
          proofSpeedup: speed * this.#random.between(0.9, 1.1),
        },
        predictedUs: recipe === 'pruned-int8' && state.table.state === 'measured' ? (0.9 * this.#baseUs) / speed : null,
        ...{ measuredP95Us: null, trialUs: null, trial: 'none' as const, createdAtMs: this.#nowMs },
      });
      state.jobs.push({ variantId: id, endsAtMs: this.#nowMs + this.#random.between(1, 60) * 60_000 });
      this.#mayDie();
      state.builds.push(this.#nowMs);
      this.#note({ ...decision, variantId: id, atMs: this.#nowMs });
      return;
    }
    if (kind === 'measure') Object.assign(state.table, { state: 'measuring', readyAtMs: this.#nowMs + 2 * 3_600_000 });
    if (kind === 'try') state.variants.find(({ id }) => id === decision.variantId)!.trial = 'open';
    if (kind === 'try') state.trials.push({ variantId: decision.variantId!, endsAtMs: this.#nowMs + 3_600_000 });
    const rolloutId = kind === 'rollout' ? `r${state.nextId}` : null;
    this.#note({ ...decision, rolloutId, atMs: this.#nowMs });
    if (kind !== 'rollout') return;
    this.#mayDie();
    state.rollouts.push(newRollout(state, decision.variantId!, true, this.#nowMs));
    this.findings.rollouts++;
    this.#sent.add(decision.variantId!);
  }

  #note(decision: SimState['history'][number]): void {
    this.#state.history.unshift({ ...decision, atMs: this.#nowMs });
  }

  #mayDie(): void {
    if (this.#random.chance(0.002)) throw new Killed();
  }

  /** All that another controller has is what was stored. */
  #restart(): void {
    this.#state = JSON.parse(JSON.stringify(this.#state)) as SimState;
  }
}

/** Runs `worlds` profiles of `devices` devices for some days each; a world's seed is the run's plus its number. */
export function simulate(seed: number, worlds: number, devices: number, days: number, sabotage: Sabotage = {}) {
  const total: Findings = new World(seed, devices).findings;
  const failed: number[] = [];
  for (let at = 0; at < worlds; at++) {
    const found = new World(seed + at, devices, sabotage).run(days);
    for (const key of Object.keys(total) as (keyof Findings)[]) total[key] += found[key];
    if (found.falseTriggers + found.oscillations > 0) failed.push(seed + at);
  }
  return { total, failed };
}

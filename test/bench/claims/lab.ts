/** Where claims are measured: networks of the data pack, and every figure kept by arm and seed. */
import { Kept } from '../kept.ts';
import { Subject } from '../training/subject.ts';

/** One way of doing it. Returns its figure for a seed. */
export interface Arm {
  readonly id: string;
  run(lab: Lab, seed: number): Promise<number>;
}

export class Lab {
  readonly data: string;
  /** A Python environment with ncnn, for the claims that ONNX Runtime cannot judge; null without. */
  readonly ncnn: string | null;
  private readonly kept: Kept<number>;
  private readonly subjects = new Map<string, Promise<Subject>>();

  constructor(data: string, isAgain: boolean, ncnn: string | null = null) {
    this.data = data;
    this.ncnn = ncnn;
    this.kept = new Kept('claims', isAgain);
  }

  subject(model: string): Promise<Subject> {
    const opened = this.subjects.get(model) ?? Subject.open(this.data, model);
    this.subjects.set(model, opened);
    return opened;
  }

  /** True when every seed of an arm has its figure already. */
  has(arm: Arm, seeds: readonly number[]): boolean {
    return seeds.every((seed) => this.kept.has(arm.id, seed));
  }

  value(arm: Arm, seed: number): Promise<number> {
    return this.kept.value(arm.id, seed, async () => Number((await arm.run(this, seed)).toFixed(4)));
  }

  async close(): Promise<void> {
    for (const subject of this.subjects.values()) await (await subject).close();
  }
}

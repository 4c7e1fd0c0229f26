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
  private readonly kept: Kept<number>;
  private readonly subjects = new Map<string, Promise<Subject>>();

  constructor(data: string, isAgain: boolean) {
    this.data = data;
    this.kept = new Kept('claims', isAgain);
  }

  subject(model: string): Promise<Subject> {
    const opened = this.subjects.get(model) ?? Subject.open(this.data, model);
    this.subjects.set(model, opened);
    return opened;
  }

  value(arm: Arm, seed: number): Promise<number> {
    return this.kept.value(arm.id, seed, async () => Number((await arm.run(this, seed)).toFixed(4)));
  }

  async close(): Promise<void> {
    for (const subject of this.subjects.values()) await (await subject).close();
  }
}

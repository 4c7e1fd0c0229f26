import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A profile of a model that the closed loop leaves alone. No row: the model's own switch holds. */
@Entity('loop_switch')
export class LoopSwitchEntity {
  @PrimaryColumn('text') modelId!: string;
  @PrimaryColumn('text') profile!: string;
  @Column('text') who!: string;
  @Column('timestamptz') at!: Date;
}

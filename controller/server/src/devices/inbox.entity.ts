import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Ids of messages that are stored, so that one delivered again is acknowledged and otherwise ignored. */
@Entity('inbox')
@Index('IDX_inbox_at', ['at'])
export class InboxEntity {
  @PrimaryColumn('text') deviceId!: string;
  @PrimaryColumn('text') messageId!: string;
  @Column('timestamptz') at!: Date;
}

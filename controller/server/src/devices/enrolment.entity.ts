import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A single-use permission to enrol. Only the secret's SHA-256 is kept. */
@Entity('enrolment_token')
@Index('UQ_enrolment_secret', ['secretHash'], { unique: true })
export class EnrolmentTokenEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') secretHash!: string;
  @Column('timestamptz') expiresAt!: Date;
  @Column('timestamptz', { nullable: true }) usedAt!: Date | null;
  @Column('text', { nullable: true }) usedBy!: string | null;
  @Column('text') createdBy!: string;
  @Column('timestamptz') createdAt!: Date;
}

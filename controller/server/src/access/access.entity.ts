import type { Role } from '@espalier/proto/api';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A person with an account. Without a password they come in by a one-time link only. */
@Entity('app_user')
@Index('UQ_user_name', ['name'], { unique: true })
export class UserEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') role!: Role;
  @Column('text', { nullable: true }) passwordHash!: string | null;
  @Column('timestamptz') createdAt!: Date;
}

/** A browser's session, or a one-time link on its way to become one. Only the secret's SHA-256 is kept. */
@Entity('session')
@Index('IDX_session_user', ['userId'])
export class SessionEntity {
  @PrimaryColumn('text') secretHash!: string;
  @Column('text') kind!: 'session' | 'link';
  @Column('text') userId!: string;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz') expiresAt!: Date;
}

/** A program's key to the API. */
@Entity('api_token')
@Index('UQ_api_token_secret', ['secretHash'], { unique: true })
export class ApiTokenEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') role!: Role;
  @Column('text') secretHash!: string;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz', { nullable: true }) lastUsedAt!: Date | null;
}

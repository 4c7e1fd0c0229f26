import { z } from 'zod';
import { Id, Instant } from './common.js';

/** viewer reads; operator also rolls out, builds and registers; admin also manages people, tokens and settings. */
export const Role = z.enum(['viewer', 'operator', 'admin']);
export type Role = z.infer<typeof Role>;

/** POST /session: with the one-time link the controller prints at start, or with a name and password. */
export const SignIn = z.union([
  z.object({ link: z.string().min(16) }),
  z.object({ name: z.string().min(1), password: z.string().min(1) }),
]);
export type SignIn = z.infer<typeof SignIn>;

/** GET /session. `passwordSet` is false until an admin who came by link chose a password. */
export const Session = z.object({ user: z.object({ id: Id, name: z.string(), role: Role, passwordSet: z.boolean() }) });
export type Session = z.infer<typeof Session>;

/** PUT /session/password */
export const SetPassword = z.object({ password: z.string().min(10, 'at least 10 characters') });

export const User = z.object({ id: Id, name: z.string(), role: Role, createdAt: Instant });
export type User = z.infer<typeof User>;
/** POST /users */
export const CreateUser = z.object({ name: z.string().min(2).max(64), role: Role, password: z.string().min(10) });

export const ApiToken = z.object({
  id: Id,
  name: z.string(),
  role: Role,
  createdAt: Instant,
  lastUsedAt: Instant.nullable(),
});
export type ApiToken = z.infer<typeof ApiToken>;
/** POST /tokens -> ApiToken with `secret`, shown once. Sent as `Authorization: Bearer`. */
export const CreateApiToken = z.object({ name: z.string().min(1).max(64), role: Role });
export const CreatedApiToken = ApiToken.extend({ secret: z.string() });

/** POST /enrolment-tokens */
export const CreateEnrolmentToken = z.object({
  name: z.string().max(64).default(''),
  minutes: z.int().min(1).max(10_080).default(60),
});
/** Shown once. `command` is what to run on the device. `usedBy` is the device that came, when it has. */
export const CreatedEnrolmentToken = z.object({ id: Id, token: z.string(), command: z.string(), expiresAt: Instant });
export type CreatedEnrolmentToken = z.infer<typeof CreatedEnrolmentToken>;
export const EnrolmentToken = z.object({
  id: Id,
  name: z.string(),
  expiresAt: Instant,
  usedBy: Id.nullable(),
  createdAt: Instant,
});
export type EnrolmentToken = z.infer<typeof EnrolmentToken>;

/** GET /enrolment, public: where and with whose certificate a device enrols. Addresses are host:port. */
export const EnrolmentInfo = z.object({
  caPem: z.string(),
  enrolUrl: z.string(),
  grpcUrl: z.string(),
  mqttUrl: z.string(),
});
export type EnrolmentInfo = z.infer<typeof EnrolmentInfo>;

export const AuditEntry = z.object({
  id: Id,
  at: Instant,
  who: z.string(),
  action: z.string(),
  subject: z.string(),
  details: z.record(z.string(), z.unknown()),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

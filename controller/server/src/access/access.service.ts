import { sha256Hex } from '@espalier/proto';
import type { ApiToken, Role, Session, SignIn, User } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { LastAdmin, NameTaken, NotFound, SignInRefused } from '../common/errors.js';
import { newId, newSecret } from '../common/ids.js';
import type { ApiTokenEntity, UserEntity } from './access.entity.js';
import { AccessRepository } from './access.repository.js';
import { hashPassword, verifyPassword } from './passwords.js';
import type { Principal } from './principal.js';

const HOUR_MS = 3_600_000;
const SESSION_MS = 30 * 24 * HOUR_MS;
const LINK_MS = 24 * HOUR_MS;
const ADMIN = 'admin';

const hashOf = (secret: string): string => sha256Hex(new TextEncoder().encode(secret));
const toUser = ({ id, name, role, createdAt }: UserEntity): User => ({
  id,
  name,
  role,
  createdAt: createdAt.toISOString(),
});
const toToken = ({ id, name, role, createdAt, lastUsedAt }: ApiTokenEntity): ApiToken => ({
  ...{ id, name, role, createdAt: createdAt.toISOString() },
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
});

/** People and programs, and how they prove who they are. Secrets are kept as hashes only. */
@Injectable()
export class AccessService {
  constructor(
    private readonly access: AccessRepository,
    private readonly clock: Clock,
  ) {}

  /** A fresh one-time link for the first admin, who is made if there is none. Older links stop working. */
  async adminLink(): Promise<string> {
    let admin = (await this.access.users()).find(({ role }) => role === 'admin');
    if (!admin) {
      admin = { id: newId('usr'), name: ADMIN, role: 'admin', passwordHash: null, createdAt: this.clock.now() };
      await this.access.insertUser(admin);
    }
    await this.access.deleteLinks();
    return this.#open('link', admin.id, LINK_MS);
  }

  /** @returns the secret for the cookie. @throws ESP_SIGN_IN_REFUSED */
  async signIn(request: SignIn): Promise<{ secret: string; user: UserEntity }> {
    const user =
      'link' in request ? await this.#byLink(request.link) : await this.#byPassword(request.name, request.password);
    if (!user) throw SignInRefused({});
    return { secret: await this.#open('session', user.id, SESSION_MS), user };
  }

  async signOut(secret: string): Promise<void> {
    await this.access.deleteSession(hashOf(secret));
  }

  /** Who a cookie or a bearer token stands for; null for neither. */
  async principal(cookie: string | null, bearer: string | null): Promise<Principal | null> {
    const now = this.clock.now();
    if (bearer) {
      const token = await this.access.token(hashOf(bearer));
      if (!token) return null;
      await this.access.touchToken(token.id, now);
      return { id: token.id, name: token.name, role: token.role, kind: 'token' };
    }
    const session = cookie ? await this.access.session(hashOf(cookie), now) : null;
    const user = session ? await this.access.user({ id: session.userId }) : null;
    return user ? { id: user.id, name: user.name, role: user.role, kind: 'user' } : null;
  }

  async sessionOf({ id, name, role }: Principal): Promise<Session> {
    const user = await this.access.user({ id });
    return { user: { id, name, role, passwordSet: user?.passwordHash != null } };
  }

  async setPassword(id: string, password: string): Promise<void> {
    await this.access.setPassword(id, await hashPassword(password));
  }

  async users(): Promise<User[]> {
    return (await this.access.users()).map(toUser);
  }

  /** @throws ESP_NAME_TAKEN */
  async createUser(name: string, role: Role, password: string): Promise<User> {
    if (await this.access.user({ name })) throw NameTaken({ what: 'user', name });
    const user = {
      id: newId('usr'),
      name,
      role,
      passwordHash: await hashPassword(password),
      createdAt: this.clock.now(),
    };
    await this.access.insertUser(user);
    return toUser(user);
  }

  /** @throws ESP_NOT_FOUND, ESP_LAST_ADMIN */
  async deleteUser(id: string): Promise<void> {
    const users = await this.access.users();
    const user = users.find((candidate) => candidate.id === id);
    if (!user) throw NotFound({ what: 'user', id });
    if (user.role === 'admin' && users.filter(({ role }) => role === 'admin').length === 1)
      throw LastAdmin({ name: user.name });
    await this.access.deleteUser(id);
  }

  async tokens(): Promise<ApiToken[]> {
    return (await this.access.tokens()).map(toToken);
  }

  async createToken(name: string, role: Role): Promise<ApiToken & { secret: string }> {
    const secret = newSecret();
    const token = {
      id: newId('tok'),
      name,
      role,
      secretHash: hashOf(secret),
      createdAt: this.clock.now(),
      lastUsedAt: null,
    };
    await this.access.insertToken(token);
    return { ...toToken(token), secret };
  }

  /** @throws ESP_NOT_FOUND */
  async deleteToken(id: string): Promise<void> {
    if (!(await this.access.deleteToken(id))) throw NotFound({ what: 'API token', id });
  }

  async #byLink(link: string): Promise<UserEntity | null> {
    const session = await this.access.useLink(hashOf(link), this.clock.now());
    return session ? this.access.user({ id: session.userId }) : null;
  }

  async #byPassword(name: string, password: string): Promise<UserEntity | null> {
    const user = await this.access.user({ name });
    // A hash is computed in any case, so that the time does not tell which names exist.
    const stored = user?.passwordHash ?? (await hashPassword(newSecret()));
    return (await verifyPassword(password, stored)) && user?.passwordHash ? user : null;
  }

  async #open(kind: 'session' | 'link', userId: string, lifeMs: number): Promise<string> {
    const secret = newSecret();
    const createdAt = this.clock.now();
    const expiresAt = new Date(createdAt.getTime() + lifeMs);
    await this.access.insertSession({ secretHash: hashOf(secret), kind, userId, createdAt, expiresAt });
    return secret;
  }
}

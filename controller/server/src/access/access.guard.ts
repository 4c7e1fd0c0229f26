import type { Role } from '@espalier/proto/api';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { NotAllowed, NotSignedIn, OriginRefused } from '../common/errors.js';
import { AccessService } from './access.service.js';
import { allows, neededByDefault, type Principal, PUBLIC_KEY, ROLES_KEY } from './principal.js';

export const COOKIE = 'espalier_session';

/** The session secret of a request's cookie header, or null [RFC 6265, 5.4]. */
export function cookieOf(request: Request): string | null {
  const found = request.headers.cookie
    ?.split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${COOKIE}=`));
  return found?.slice(COOKIE.length + 1) ?? null;
}

const bearerOf = (request: Request): string | null =>
  /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? null;

/** Lets in who may: signed in, in a role that the route admits, and not from a foreign page. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly access: AccessService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request & { principal?: Principal }>();
    const targets = [context.getHandler(), context.getClass()];
    refuseForeignPages(request);
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC_KEY, targets)) return true;
    const principal = await this.access.principal(cookieOf(request), bearerOf(request));
    if (!principal) throw NotSignedIn({});
    const needed = this.reflector.getAllAndOverride<Role>(ROLES_KEY, targets) ?? neededByDefault(request.method);
    if (!allows(principal.role, needed)) throw NotAllowed({ needed, role: principal.role });
    request.principal = principal;
    return true;
  }
}

/** A browser names the page that makes a changing request; another site's may not ride on our cookie. */
function refuseForeignPages(request: Request): void {
  const { origin, host } = request.headers;
  if (!origin || request.method === 'GET' || request.method === 'HEAD') return;
  if (!URL.canParse(origin) || new URL(origin).host !== host) throw OriginRefused({ origin });
}

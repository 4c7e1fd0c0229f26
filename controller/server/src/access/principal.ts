import type { Role } from '@espalier/proto/api';
import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';

/** Who makes a request: a person with a session, or a program with an API token. */
export interface Principal {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly kind: 'user' | 'token';
}

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Each role may do what the ones below it may. */
export const allows = (role: Role, needed: Role): boolean => RANK[role] >= RANK[needed];

/** What a route needs when it does not say: reading is for viewers, changing for operators. */
export const neededByDefault = (method: string): Role =>
  method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? 'viewer' : 'operator';

export const ROLES_KEY = 'espalier:roles';
export const PUBLIC_KEY = 'espalier:public';

/** The least role that may use a route. */
export const Roles = (role: Role): MethodDecorator & ClassDecorator => SetMetadata(ROLES_KEY, role);

/** A route that needs nobody signed in. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC_KEY, true);

/** The {@link Principal} of the request. */
export const CurrentUser = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Principal =>
    context.switchToHttp().getRequest<{ principal: Principal }>().principal,
);

import {
  CreateApiToken,
  type CreatedEnrolmentToken,
  CreateEnrolmentToken,
  CreateUser,
  ListQuery,
  type Session,
  SetPassword,
  SignIn,
} from '@espalier/proto/api';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Throttle, ThrottlerGuard } from '@nestjs/throttler';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { EnrolmentService } from '../devices/enrolment.service.js';
import { COOKIE, cookieOf } from './access.guard.js';
import { AccessService } from './access.service.js';
import { AuditService } from './audit.service.js';
import { CurrentUser, type Principal, Public, Roles } from './principal.js';

@ApiTags('access')
@Controller('api/v1')
export class AccessController {
  constructor(
    private readonly access: AccessService,
    private readonly audit: AuditService,
    private readonly enrolments: EnrolmentService,
  ) {}

  @Public()
  @UseGuards(ThrottlerGuard)
  @Throttle({ default: { limit: 20, ttl: 60_000 } })
  @Post('session')
  async signIn(
    @Body({ schema: SignIn }) body: SignIn,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Session> {
    const { secret, user } = await this.access.signIn(body);
    // A TLS proxy in front says so in this header; whoever invents it only keeps the cookie from himself.
    const secure = request.headers['x-forwarded-proto'] === 'https';
    const lifetime = { path: '/', maxAge: 30 * 86_400_000 };
    response.cookie(COOKIE, secret, { httpOnly: true, sameSite: 'strict', secure, ...lifetime });
    await this.audit.record(user.name, 'signed in', user.id);
    return { user: { id: user.id, name: user.name, role: user.role, passwordSet: user.passwordHash !== null } };
  }

  @Get('session')
  session(@CurrentUser() who: Principal): Promise<Session> {
    return this.access.sessionOf(who);
  }

  @Roles('viewer')
  @Delete('session')
  @HttpCode(204)
  async signOut(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<void> {
    await this.access.signOut(cookieOf(request) ?? '');
    response.clearCookie(COOKIE);
  }

  @Roles('viewer')
  @Put('session/password')
  @HttpCode(204)
  async setPassword(
    @CurrentUser() who: Principal,
    @Body({ schema: SetPassword }) body: z.infer<typeof SetPassword>,
  ): Promise<void> {
    await this.access.setPassword(who.id, body.password);
    await this.audit.record(who.name, 'password set', who.id);
  }

  @Roles('admin')
  @Get('users')
  users() {
    return this.access.users();
  }

  @Roles('admin')
  @Post('users')
  async createUser(@CurrentUser() who: Principal, @Body({ schema: CreateUser }) body: z.infer<typeof CreateUser>) {
    const user = await this.access.createUser(body.name, body.role, body.password);
    await this.audit.record(who.name, 'user created', user.id, { name: user.name, role: user.role });
    return user;
  }

  @Roles('admin')
  @Delete('users/:id')
  @HttpCode(204)
  async deleteUser(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    await this.access.deleteUser(id);
    await this.audit.record(who.name, 'user deleted', id);
  }

  @Roles('admin')
  @Get('tokens')
  tokens() {
    return this.access.tokens();
  }

  @Roles('admin')
  @Post('tokens')
  async createToken(
    @CurrentUser() who: Principal,
    @Body({ schema: CreateApiToken }) body: z.infer<typeof CreateApiToken>,
  ) {
    const token = await this.access.createToken(body.name, body.role);
    await this.audit.record(who.name, 'API token created', token.id, { name: token.name, role: token.role });
    return token;
  }

  @Roles('admin')
  @Delete('tokens/:id')
  @HttpCode(204)
  async deleteToken(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    await this.access.deleteToken(id);
    await this.audit.record(who.name, 'API token deleted', id);
  }

  @Get('enrolment-tokens')
  enrolmentTokens() {
    return this.enrolments.tokens();
  }

  @Post('enrolment-tokens')
  async createEnrolmentToken(
    @CurrentUser() who: Principal,
    @Body({ schema: CreateEnrolmentToken }) body: z.infer<typeof CreateEnrolmentToken>,
  ): Promise<CreatedEnrolmentToken> {
    const created = await this.enrolments.createToken(body.name, body.minutes, who.name);
    await this.audit.record(who.name, 'enrolment token created', created.id);
    return created;
  }

  @Delete('enrolment-tokens/:id')
  @HttpCode(204)
  async revokeEnrolmentToken(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    await this.enrolments.revokeToken(id);
    await this.audit.record(who.name, 'enrolment token revoked', id);
  }

  @Roles('admin')
  @Get('audit')
  auditLog(@Query({ schema: ListQuery }) query: z.infer<typeof ListQuery>) {
    return this.audit.page(query);
  }
}

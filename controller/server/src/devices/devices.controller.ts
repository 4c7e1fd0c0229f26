import { type EnrolmentInfo, ListQuery } from '@espalier/proto/api';
import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal, Public } from '../access/principal.js';
import { addressesOf } from '../common/addresses.js';
import { Config } from '../common/config.js';
import { RunningPorts } from '../common/running-ports.js';
import { CertificateAuthority } from '../pki/authority.js';
import { DeviceService } from './device.service.js';
import { DeviceViews } from './device.view.js';

const Since = z.object({ since: z.iso.datetime().optional() });
const DAY_MS = 86_400_000;

@ApiTags('devices')
@Controller('api/v1')
export class DevicesController {
  constructor(
    private readonly devices: DeviceService,
    private readonly views: DeviceViews,
    private readonly audit: AuditService,
    private readonly authority: CertificateAuthority,
    private readonly ports: RunningPorts,
    private readonly config: Config,
  ) {}

  @Get('devices')
  list(@Query({ schema: ListQuery }) { q, cursor, limit }: z.infer<typeof ListQuery>) {
    return this.views.page(q, cursor, limit);
  }

  @Get('devices/:id')
  one(@Param('id') id: string) {
    return this.views.one(id);
  }

  @Get('devices/:id/measurements')
  measurements(@Param('id') id: string, @Query({ schema: Since }) { since }: z.infer<typeof Since>) {
    return this.views.timeline(id, since ? new Date(since) : new Date(Date.now() - DAY_MS));
  }

  @Delete('devices/:id')
  @HttpCode(204)
  async remove(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    await this.devices.remove(id);
    await this.audit.record(who.name, 'device removed', id);
  }

  /** Where a device enrols, and the authority it must find there; the token holds its fingerprint. */
  @Public()
  @Get('enrolment')
  enrolment(): EnrolmentInfo {
    const { grpc: grpcUrl, enrol: enrolUrl, mqtt: mqttUrl } = addressesOf(this.config, this.ports);
    return { caPem: this.authority.caPem, enrolUrl, grpcUrl, mqttUrl };
  }
}

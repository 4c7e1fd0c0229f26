import type { ProfileView } from '@espalier/proto/api';
import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DeviceService } from '../devices/device.service.js';
import { ProfileCatalog } from './profile-catalog.js';

@ApiTags('profiles')
@Controller('api/v1/profiles')
export class ProfilesController {
  constructor(
    private readonly catalog: ProfileCatalog,
    private readonly devices: DeviceService,
  ) {}

  @Get()
  async list(): Promise<ProfileView[]> {
    return this.catalog.views(await this.#counts());
  }

  @Get(':id')
  async one(@Param('id') id: string): Promise<ProfileView> {
    return this.catalog.view(id, await this.#counts());
  }

  async #counts(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const { profile } of await this.devices.find(''))
      if (profile) counts.set(profile, (counts.get(profile) ?? 0) + 1);
    return counts;
  }
}

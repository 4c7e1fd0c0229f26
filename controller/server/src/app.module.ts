import path from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { ServeStaticModule } from '@nestjs/serve-static';
import { ThrottlerModule } from '@nestjs/throttler';
import { DataSource } from 'typeorm';
import { AccessGuard } from './access/access.guard.js';
import { ManifestSigner } from './artifacts/signer.js';
import { Config } from './common/config.js';
import { DatabaseInfo, type OpenDatabase } from './common/database.js';
import { ErrorFilter } from './common/error.filter.js';
import { GROUND_CONTROLLERS, GROUND_PROVIDERS } from './ground.providers.js';
import { CertificateAuthority } from './pki/authority.js';
import { ProfileCatalog } from './profiles/profile-catalog.js';
import { WORK_CONTROLLERS, WORK_PROVIDERS } from './work.providers.js';

/** What is opened before the application: it needs waiting, and each may fail with a coded error. */
export interface Opened {
  readonly config: Config;
  readonly database: OpenDatabase;
  readonly authority: CertificateAuthority;
  readonly signer: ManifestSigner;
  readonly profiles: ProfileCatalog;
}

const UI = path.join(import.meta.dirname, '..', '..', 'ui', 'dist');

@Module({})
class AppModule {}

/** The application around what was opened. */
export function appModule({ config, database, authority, signer, profiles }: Opened): DynamicModule {
  return {
    module: AppModule,
    imports: [
      ThrottlerModule.forRoot([{ limit: 1000, ttl: 60_000 }]),
      ServeStaticModule.forRoot({ rootPath: UI, exclude: ['/api/{*any}', '/health', '/metrics'] }),
    ],
    controllers: [...GROUND_CONTROLLERS, ...WORK_CONTROLLERS],
    providers: [
      { provide: Config, useValue: config },
      { provide: DataSource, useValue: database.source },
      { provide: DatabaseInfo, useValue: database.info },
      { provide: CertificateAuthority, useValue: authority },
      { provide: ManifestSigner, useValue: signer },
      { provide: ProfileCatalog, useValue: profiles },
      { provide: APP_GUARD, useExisting: AccessGuard },
      { provide: APP_FILTER, useClass: ErrorFilter },
      ...GROUND_PROVIDERS,
      ...WORK_PROVIDERS,
    ],
  };
}

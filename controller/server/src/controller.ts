import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { CodedError } from '@espalier/proto';
import { type INestApplication, StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import helmet from 'helmet';
import { AccessService } from './access/access.service.js';
import { appModule } from './app.module.js';
import { ManifestSigner } from './artifacts/signer.js';
import { addressesOf } from './common/addresses.js';
import type { Config } from './common/config.js';
import { ConsoleLog } from './common/console-log.js';
import { checkSpace, lockDataDir } from './common/data-dir-lock.js';
import { openDatabase } from './common/database.js';
import { diskFullOr } from './common/durable-file.js';
import { listenError } from './common/listening.js';
import { RunningPorts } from './common/running-ports.js';
import { ENTITIES } from './entities.js';
import { GatewayService } from './gateway/gateway.service.js';
import { MIGRATIONS } from './migrations/index.js';
import { CertificateAuthority } from './pki/authority.js';
import { ProfileCatalog } from './profiles/profile-catalog.js';
import { SampleService } from './sample/sample.service.js';
import { SystemStatus, VERSION } from './system/system-status.js';

export interface RunningController {
  /** Address of the web app and API. */
  readonly url: string;
  readonly adminLink: string;
  readonly sample: SampleService;
  /** Resolves with what makes it useless; then end the process, its supervisor starts another. */
  readonly failed: Promise<CodedError>;
  /** True while there is neither a device nor a model. */
  isEmpty(): Promise<boolean>;
  close(): Promise<void>;
}

/** Starts a controller; what was opened is closed again when a later part fails. @throws the coded error of that part */
export async function startController(config: Config): Promise<RunningController> {
  const undo: (() => void | Promise<void>)[] = [lockDataDir(config.dataDir)];
  const close = async (): Promise<void> => {
    for (const step of undo.toReversed()) await step();
  };
  try {
    checkSpace(config.dataDir, !config.databaseUrl);
    const authority = await CertificateAuthority.open(config.under('keys'), () => new Date());
    const signer = await ManifestSigner.open(config);
    const profiles = await ProfileCatalog.open();
    const database = await openDatabase(config, { entities: ENTITIES, migrations: MIGRATIONS });
    undo.push(() => database.close());
    const logger = new ConsoleLog(config.logLevel, process.stdout.isTTY);
    const module = appModule({ config, database, authority, signer, profiles });
    const app = await NestFactory.create<NestExpressApplication>(module, {
      logger,
      abortOnError: false,
    });
    undo.push(() => closeApp(app));
    return { ...(await open(app, config)), failed: database.lost, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw diskFullOr(error, config.dataDir);
  }
}

async function open(app: NestExpressApplication, config: Config): Promise<Omit<RunningController, 'close' | 'failed'>> {
  app.useGlobalPipes(new StandardSchemaValidationPipe());
  // The component library writes its variables into a style element, hence 'unsafe-inline' for styles only.
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: { 'style-src': ["'self'", "'unsafe-inline'"], 'upgrade-insecure-requests': null },
      },
      strictTransportSecurity: false,
    }),
  );
  document(app);
  const ports = app.get(RunningPorts);
  await app.listen(config.httpPort, config.host).catch((error: NodeJS.ErrnoException) => {
    throw listenError(error, config.host, config.httpPort, 'the web app and API', 'ESPALIER_HTTP_PORT');
  });
  ports.http = (app.getHttpServer().address() as AddressInfo).port;
  await app.get(GatewayService).open();
  const { web: url } = addressesOf(config, ports);
  const link = await app.get(AccessService).adminLink();
  const sample = app.get(SampleService);
  await sample.resume();
  const isEmpty = async (): Promise<boolean> => (await app.get(SystemStatus).view()).empty;
  return { url, adminLink: `${url}/sign-in?link=${link}`, sample, isEmpty };
}

/** How long requests under way may take to finish when the controller ends. */
const GRACE_MS = 3000;

/** Takes no new requests, lets those under way finish, and waits for none that would keep it for ever. */
async function closeApp(app: NestExpressApplication): Promise<void> {
  const server = app.getHttpServer();
  // A connection whose answer is out stays open for the next request; close() looks for such ones only once.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const force = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(force);
  }
}

/** The OpenAPI document and its viewer. */
function document(app: INestApplication): void {
  const options = new DocumentBuilder()
    .setTitle('Espalier controller')
    .setVersion(VERSION)
    .addBearerAuth()
    .addCookieAuth('espalier_session')
    .build();
  SwaggerModule.setup('api/docs', app, () => SwaggerModule.createDocument(app, options), {
    jsonDocumentUrl: 'api/openapi.json',
  });
}

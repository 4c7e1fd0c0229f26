import { CodedError } from '@espalier/proto';
import {
  ArtifactsService,
  DevicesService,
  EnrolmentService as EnrolmentDefinition,
  type FetchRequest,
  type FetchResponse,
} from '@espalier/proto/grpc';
import * as grpc from '@grpc/grpc-js';
import { Injectable, Logger } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { addressesOf, hostPart } from '../common/addresses.js';
import { Config } from '../common/config.js';
import { DeviceUnknown } from '../common/errors.js';
import { listenError } from '../common/listening.js';
import { RunningPorts } from '../common/running-ports.js';
import { DesiredService } from '../devices/desired.service.js';
import { DeviceService } from '../devices/device.service.js';
import { EnrolmentService } from '../devices/enrolment.service.js';
import { PresenceService } from '../devices/presence.service.js';
import { SampleSink } from '../devices/sample-sink.js';
import { CertificateAuthority } from '../pki/authority.js';
import { IngestService } from './ingest.service.js';

const STATUS: Readonly<Record<number, grpc.status>> = {
  400: grpc.status.INVALID_ARGUMENT,
  401: grpc.status.UNAUTHENTICATED,
  403: grpc.status.PERMISSION_DENIED,
  404: grpc.status.NOT_FOUND,
  409: grpc.status.FAILED_PRECONDITION,
  416: grpc.status.OUT_OF_RANGE,
  429: grpc.status.RESOURCE_EXHAUSTED,
  503: grpc.status.UNAVAILABLE,
  507: grpc.status.UNAVAILABLE,
};

type AnyCall = Pick<grpc.ServerUnaryCall<unknown, unknown>, 'getAuthContext'>;
type Unary<Q, A> = (call: grpc.ServerUnaryCall<Q, A>, callback: grpc.sendUnaryData<A>) => void;

/** The gRPC server: one, bound twice. Only enrolment answers a caller without a client certificate (docs/decisions/0001). */
@Injectable()
export class GrpcGateway {
  readonly #logger = new Logger('grpc');
  readonly #server = new grpc.Server();

  constructor(
    private readonly config: Config,
    private readonly ports: RunningPorts,
    private readonly authority: CertificateAuthority,
    private readonly enrolments: EnrolmentService,
    private readonly devices: DeviceService,
    private readonly desired: DesiredService,
    private readonly presence: PresenceService,
    private readonly ingest: IngestService,
    private readonly samples: SampleSink,
    private readonly store: ArtifactStore,
  ) {}

  async start(): Promise<void> {
    this.#server.addService(EnrolmentDefinition, { enrol: this.#unary((_call, request) => this.#enrol(request)) });
    this.#server.addService(DevicesService, {
      renewCertificate: this.#unary(async (call, { csrPem }: { csrPem: string }) =>
        this.enrolments.renew(await this.#deviceOf(call), csrPem),
      ),
      getDesiredState: this.#unary((call, request: { knownRevision: bigint }) => this.#desiredState(call, request)),
      uploadReports: this.#unary((call, request: { messages: readonly Uint8Array[] }) => this.#upload(call, request)),
      uploadSample: this.#unary(async (call, { sealed }: { sealed: Uint8Array }) => {
        await this.samples.take(await this.#deviceOf(call), sealed);
        return {};
      }),
    } as never);
    this.#server.addService(ArtifactsService, {
      fetch: (call: grpc.ServerWritableStream<FetchRequest, FetchResponse>) => void this.#fetch(call),
    } as never);
    const { certificatePem, keyPem } = await this.authority.serverIdentity([
      this.config.host,
      this.config.reachableHost,
    ]);
    const pair = [{ cert_chain: Buffer.from(certificatePem), private_key: Buffer.from(keyPem) }];
    const ca = Buffer.from(this.authority.caPem);
    this.ports.grpc = await this.#bind(
      this.config.grpcPort,
      grpc.ServerCredentials.createSsl(ca, pair, true),
      'ESPALIER_GRPC_PORT',
    );
    this.ports.enrol = await this.#bind(
      this.config.enrolPort,
      grpc.ServerCredentials.createSsl(null, pair, false),
      'ESPALIER_ENROL_PORT',
    );
  }

  /** Lets calls under way finish for a moment, then ends them. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#server.forceShutdown(), 2000);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    clearTimeout(force);
  }

  #bind(port: number, credentials: grpc.ServerCredentials, variable: string): Promise<number> {
    const { host } = this.config;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${hostPart(host)}:${port}`, credentials, (error, bound) => {
        if (!error) return resolve(bound);
        const code = error.message.includes('EADDRINUSE')
          ? 'EADDRINUSE'
          : error.message.includes('EADDRNOTAVAIL')
            ? 'EADDRNOTAVAIL'
            : undefined;
        reject(listenError(Object.assign(error, { code }), host, port, 'gRPC', variable));
      });
    });
  }

  /** The caller's device id: the common name of a certificate that TLS has checked. @throws ESP_DEVICE_UNKNOWN */
  async #deviceOf(call: AnyCall): Promise<string> {
    const name = call.getAuthContext().sslPeerCertificate?.subject?.CN;
    const deviceId = typeof name === 'string' ? name : '';
    if (!deviceId || !(await this.devices.isEnrolled(deviceId)))
      throw DeviceUnknown({ deviceId: deviceId || 'without a certificate' });
    await this.presence.seen(deviceId);
    return deviceId;
  }

  async #enrol({ token, csrPem, facts }: { token: string; csrPem: string; facts: Uint8Array }) {
    const device = await this.enrolments.enrol(token, csrPem, facts);
    const { grpc: grpcUrl, mqtt: mqttUrl } = addressesOf(this.config, this.ports);
    return { ...device, grpcUrl, mqttUrl };
  }

  async #desiredState(call: AnyCall, { knownRevision }: { knownRevision: bigint }) {
    const state = await this.desired.current(await this.#deviceOf(call));
    const isNewer = BigInt(state.revision) > knownRevision;
    return { document: isNewer ? Buffer.from(JSON.stringify(state)) : Buffer.alloc(0) };
  }

  async #upload(call: AnyCall, { messages }: { messages: readonly Uint8Array[] }) {
    const deviceId = await this.#deviceOf(call);
    const storedIds: string[] = [];
    for (const message of messages) {
      const id = await this.ingest.take(deviceId, message);
      if (id !== null) storedIds.push(id);
    }
    return { storedIds };
  }

  /** Streams a blob from an offset; a reader that stops reading stops the writer, and nothing is dropped. */
  async #fetch(call: grpc.ServerWritableStream<FetchRequest, FetchResponse>): Promise<void> {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    try {
      await this.#deviceOf(call);
      let at = Number(call.request.offset);
      const { stream, totalBytes } = await this.store.open(call.request.sha256, at);
      for await (const data of stream as AsyncIterable<Buffer>) {
        if (gone.signal.aborted) break;
        if (!call.write({ offset: BigInt(at), data, totalBytes: BigInt(totalBytes) })) await drained(call, gone.signal);
        at += data.length;
      }
      stream.destroy();
      call.end();
    } catch (error) {
      // Not destroy(): that leaves the call open, and the device waits for ever.
      call.emit('error', this.#toStatus(error));
    }
  }

  #unary<Q, A>(handle: (call: grpc.ServerUnaryCall<Q, A>, request: Q) => Promise<A>): Unary<Q, A> {
    return (call, callback) => {
      handle(call, call.request).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(this.#toStatus(error)),
      );
    };
  }

  #toStatus(error: unknown): grpc.StatusObject & Error {
    const coded = error instanceof CodedError ? error : null;
    if (!coded) this.#logger.error(error instanceof Error ? error.stack : String(error));
    const code = coded ? (STATUS[coded.status] ?? grpc.status.UNKNOWN) : grpc.status.INTERNAL;
    const details = coded ? `${coded.code}: ${coded.message}` : 'internal error';
    return Object.assign(new Error(details), { code, details, metadata: new grpc.Metadata() });
  }
}

/** Resolves when the call takes more, or is over; leaves no listener behind. */
function drained(call: grpc.ServerWritableStream<FetchRequest, FetchResponse>, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    gone.addEventListener('abort', done);
  });
}

/** The gRPC half of the link, with the device's certificate. */

import { ArtifactsClient, DevicesClient, type FetchResponse } from '@espalier/proto/grpc';
import { type ClientReadableStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { type Identity, makeRequest } from './identity.js';

const DEADLINE_MS = 20_000;

type Callback<T> = (error: ServiceError | null, value: T) => void;

const call = <T>(start: (callback: Callback<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));

export class Rpc {
  readonly #devices: DevicesClient;
  readonly #artifacts: ArtifactsClient;

  constructor(private readonly identity: Identity) {
    const { caPem, keyPem, certificatePem, grpcUrl } = identity;
    const secure = credentials.createSsl(Buffer.from(caPem), Buffer.from(keyPem), Buffer.from(certificatePem));
    this.#devices = new DevicesClient(grpcUrl, secure);
    this.#artifacts = new ArtifactsClient(grpcUrl, secure);
  }

  /** The desired-state document newer than a revision, or null. */
  async desiredState(knownRevision: number): Promise<Uint8Array | null> {
    const request = { knownRevision: BigInt(Math.max(0, knownRevision)) };
    const { document } = await call<{ document: Buffer }>((done) =>
      this.#devices.getDesiredState(request, deadline() as never, done as never),
    );
    return document.length > 0 ? document : null;
  }

  /** Sends outbox messages; answers the ids that are stored. */
  async upload(messages: readonly string[]): Promise<string[]> {
    const request = { messages: messages.map((text) => Buffer.from(text)) };
    return (
      await call<{ storedIds: string[] }>((done) =>
        this.#devices.uploadReports(request, deadline() as never, done as never),
      )
    ).storedIds;
  }

  /** Sends one sealed sample; resolves when it is stored. */
  async uploadSample(sealed: Uint8Array): Promise<void> {
    const request = { sealed: Buffer.from(sealed) };
    await call((done) => this.#devices.uploadSample(request, deadline() as never, done as never));
  }

  /** A new certificate for the same key. */
  async renew(): Promise<{ certificatePem: string; caPem: string; artifactKeys: Record<string, string> }> {
    const request = { csrPem: await makeRequest(this.identity.keyPem) };
    return call((done) => this.#devices.renewCertificate(request, deadline() as never, done as never));
  }

  fetch(sha256: string, offset: number): ClientReadableStream<FetchResponse> {
    return this.#artifacts.fetch({ sha256, offset: BigInt(offset) });
  }

  close(): void {
    this.#devices.close();
    this.#artifacts.close();
  }
}

const deadline = (): { deadline: number } => ({ deadline: Date.now() + DEADLINE_MS });

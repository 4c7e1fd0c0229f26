/** A device's side of the contract, made of the same libraries that an agent uses: real TLS, real keys, real sessions. */
import 'reflect-metadata';
import { randomUUID, webcrypto } from 'node:crypto';
import type { DesiredState } from '@espalier/proto';
import { topics } from '@espalier/proto';
import type { CreatedEnrolmentToken, EnrolmentInfo } from '@espalier/proto/api';
import {
  ArtifactsClient,
  DevicesClient,
  EnrolmentClient,
  type EnrolResponse,
  type FetchResponse,
} from '@espalier/proto/grpc';
import * as grpc from '@grpc/grpc-js';
import * as x509 from '@peculiar/x509';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Caller } from './controller.ts';

x509.cryptoProvider.set(webcrypto as Crypto);
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface TestDevice extends Credentials {
  readonly id: string;
  readonly info: EnrolmentInfo;
}

export async function newRequest(): Promise<{ csrPem: string; keyPem: string }> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whoever',
    keys: keys as CryptoKeyPair,
    signingAlgorithm: P256,
  });
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { csrPem: csr.toString('pem'), keyPem: x509.PemConverter.encode(der, 'PRIVATE KEY') };
}

export function facts(hostname: string, features: string[] = []): Record<string, unknown> {
  return {
    ...{ version: 1, arch: 'x64', hostname, os: { id: 'debian', version: '12', kernel: '6.1' } },
    ...{ board: { model: null, compatible: [], serialHash: null }, soc: null, accelerators: [], runtimes: [] },
    cpu: {
      ...{ model: 'Test CPU', implementer: null, parts: [], features, cores: 2 },
      ...{ quotaCpus: null, allowedCpus: null, clusters: [] },
    },
    memory: { totalBytes: 1e9, limitBytes: null, pageSize: 4096 },
    ...{ container: null, machineIdHash: null, bootId: null, agentVersion: '0.1.0', sources: {} },
  };
}

export async function newToken(admin: Caller, name = ''): Promise<CreatedEnrolmentToken> {
  return (await admin.call<CreatedEnrolmentToken>('POST', '/enrolment-tokens', { name, minutes: 5 })).body;
}

/** One unary call as a promise. */
export function unary<A>(start: (done: (error: grpc.ServiceError | null, answer: A) => void) => unknown): Promise<A> {
  return new Promise((resolve, reject) => start((error, answer) => (error ? reject(error) : resolve(answer))));
}

export async function callEnrol(
  info: EnrolmentInfo,
  token: string,
  csrPem: string,
  about: unknown,
): Promise<EnrolResponse> {
  const client = new EnrolmentClient(info.enrolUrl, grpc.credentials.createSsl(Buffer.from(info.caPem)));
  try {
    return await unary((done) => client.enrol({ token, csrPem, facts: Buffer.from(JSON.stringify(about)) }, done));
  } finally {
    client.close();
  }
}

/** Enrols a new device with a new token. */
export async function enrolDevice(admin: Caller, about: unknown = facts('test-device')): Promise<TestDevice> {
  const { body: info } = await admin.call<EnrolmentInfo>('GET', '/enrolment');
  const { csrPem, keyPem } = await newRequest();
  const answer = await callEnrol(info, (await newToken(admin)).token, csrPem, about);
  return { id: answer.deviceId, ca: answer.caPem, cert: answer.certificatePem, key: keyPem, info };
}

export const mutualTls = ({ ca, cert, key }: Credentials): grpc.ChannelCredentials =>
  grpc.credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));

export const devicesClient = (device: TestDevice): DevicesClient =>
  new DevicesClient(device.info.grpcUrl, mutualTls(device));

/** Reads a blob from an offset to its end. */
export async function fetchBlob(device: TestDevice, sha256: string, offset = 0): Promise<FetchResponse[]> {
  const client = new ArtifactsClient(device.info.grpcUrl, mutualTls(device));
  const parts: FetchResponse[] = [];
  try {
    for await (const part of client.fetch({ sha256, offset: BigInt(offset) })) parts.push(part as FetchResponse);
    return parts;
  } finally {
    client.close();
  }
}

/** An MQTT session without reconnects; rejects when it is refused. */
export function connectMqtt(
  url: string,
  clientId: string,
  credentials: Partial<Credentials> & Pick<IClientOptions, 'will'>,
): Promise<MqttClient> {
  const client = mqtt.connect(url, {
    ...{ clientId, protocolVersion: 4, clean: false, reconnectPeriod: 0, connectTimeout: 5000 },
    ...credentials,
  });
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    const refuse = (error?: Error): void => {
      client.end(true);
      reject(error ?? new Error('closed'));
    };
    client.once('error', refuse);
    client.once('close', refuse);
  });
}

export interface Session {
  readonly client: MqttClient;
  /** Newest desired state, once there is one that satisfies. */
  desired(satisfies: (state: DesiredState) => boolean): Promise<DesiredState>;
  /** Sends an up message and waits until the controller says that it is stored. */
  report(kind: Parameters<typeof topics.up>[1], body: unknown, id?: string): Promise<string>;
}

export async function openSession(device: TestDevice): Promise<Session> {
  const client = await connectMqtt(device.info.mqttUrl, device.id, device);
  const acknowledged: string[] = [];
  let newest: DesiredState | null = null;
  client.on('message', (topic, payload) => {
    if (topic === topics.ack(device.id)) acknowledged.push(...JSON.parse(String(payload)).ids);
    else if (payload.length > 0) newest = JSON.parse(String(payload));
  });
  await client.subscribeAsync(topics.downAll(device.id), { qos: 1 });
  return {
    client,
    desired: (satisfies) => poll(() => (newest && satisfies(newest) ? newest : null), 'desired state'),
    async report(kind, body, id = randomUUID()) {
      const before = acknowledged.filter((one) => one === id).length;
      const message = JSON.stringify({ version: 1, id, kind, body });
      await client.publishAsync(topics.up(device.id, kind), message, { qos: 1 });
      return poll(() => (acknowledged.filter((one) => one === id).length > before ? id : null), `ack of ${id}`);
    },
  };
}

/** Waits until a value is there; fails after five seconds. */
export async function poll<T>(read: () => T | null | Promise<T | null>, what: string): Promise<T> {
  for (const deadline = Date.now() + 5000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const value = await read();
    if (value !== null) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within 5 s`);
  }
}

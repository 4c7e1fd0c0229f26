/** Who this device is to its controller: key, certificates and addresses, in `identity/` of the data directory. */
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator, X509Certificate } from '@peculiar/x509';
import { z } from 'zod';
import { readIfThere, writeDurably } from '../common/files.js';
import { NotEnrolled } from '../errors.js';

const Stored = z.object({
  deviceId: z.string(),
  controllerUrl: z.string(),
  grpcUrl: z.string(),
  mqttUrl: z.string(),
  artifactKeys: z.record(z.string(), z.string()),
});
type Stored = z.infer<typeof Stored>;

export interface Identity extends Stored {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
}

const folderOf = (dataDir: string): string => path.join(dataDir, 'identity');

/** Writes the key first: a certificate without its key would be of no use. */
export function saveIdentity(dataDir: string, { keyPem, certificatePem, caPem, ...stored }: Identity): void {
  const folder = folderOf(dataDir);
  writeDurably(path.join(folder, 'device.key'), keyPem, 0o600);
  writeDurably(path.join(folder, 'device.crt'), certificatePem);
  writeDurably(path.join(folder, 'ca.crt'), caPem);
  writeDurably(path.join(folder, 'identity.json'), `${JSON.stringify(stored, null, 2)}\n`, 0o600);
}

/** @throws ESP_NOT_ENROLLED */
export function loadIdentity(dataDir: string): Identity {
  const folder = folderOf(dataDir);
  const text = readIfThere(path.join(folder, 'identity.json'));
  if (text === null) throw NotEnrolled({ path: dataDir });
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  return {
    ...Stored.parse(JSON.parse(text)),
    keyPem: read('device.key'),
    certificatePem: read('device.crt'),
    caPem: read('ca.crt'),
  };
}

/** A fresh P-256 key as PKCS #8 PEM; it never leaves the device. */
export function makeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate request [RFC 2986] for a key. The subject is a formality: the controller names the device. */
export async function makeRequest(keyPem: string): Promise<string> {
  const der = Buffer.from(keyPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await webcrypto.subtle.importKey('jwk', { kty: kty!, crv: crv!, x: x!, y: y! }, ALGORITHM, true, [
    'verify',
  ]);
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=espalier-agent', keys: { privateKey, publicKey }, signingAlgorithm: ALGORITHM },
    webcrypto,
  );
  return request.toString('pem');
}

/** True when a third of the certificate's life or less is left. */
export function wantsRenewal(certificatePem: string, nowMs: number): boolean {
  const { notBefore, notAfter } = new X509Certificate(certificatePem);
  return notAfter.getTime() - nowMs <= (notAfter.getTime() - notBefore.getTime()) / 3;
}

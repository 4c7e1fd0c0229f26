/** A certificate authority for tests, in the files and the shapes of a controller's `keys/` folder. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as x509 from '@peculiar/x509';

export interface Authority {
  readonly caPem: string;
  /** A client's key and certificate (PEM) with this common name. */
  issue(commonName: string): Promise<{ key: string; cert: string }>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

const keyPair = (): Promise<CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;

async function privatePem(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
}

/** Writes ca.crt, server.crt and server.key (for localhost and 127.0.0.1) into the folder. */
export async function makeAuthority(folder: string): Promise<Authority> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  mkdirSync(folder, { recursive: true });
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
  const ca = await keyPair();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=Test authority ${path.basename(folder)}`,
    keys: ca,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });

  async function issue(commonName: string, extensions: x509.Extension[] = []): Promise<{ key: string; cert: string }> {
    const keys = await keyPair();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${commonName}`,
      issuer: root.subject,
      publicKey: keys.publicKey,
      signingKey: ca.privateKey,
      signingAlgorithm: ALGORITHM,
      ...validity,
      extensions,
    });
    return { key: await privatePem(keys.privateKey), cert: certificate.toString('pem') };
  }

  const names = new x509.SubjectAlternativeNameExtension([
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
  ]);
  const server = await issue('localhost', [names]);
  const caPem = root.toString('pem');
  for (const [file, text] of [
    ['ca.crt', caPem],
    ['server.crt', server.cert],
    ['server.key', server.key],
  ] as const) {
    writeFileSync(path.join(folder, file), text, { mode: 0o600 });
  }
  return { caPem, issue: (commonName) => issue(commonName) };
}

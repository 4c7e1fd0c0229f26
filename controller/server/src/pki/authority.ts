import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeFileDurably } from '../common/durable-file.js';
import { CsrInvalid } from '../common/errors.js';

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const CA_YEARS = 20;
const SERVER_DAYS = 397;
/** Devices' clocks may be behind; a certificate is valid from an hour before it was made. */
const CLOCK_SKEW_MS = 3_600_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'; // [RFC 5280, 4.2.1.12]
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** A certificate and its private key, PEM. */
export interface Identity {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly serial: string;
  readonly expiresAt: Date;
}

/** The controller's own certificate authority: it names devices, and itself to devices. Keys in `keys/`, mode 0600. */
export class CertificateAuthority {
  private constructor(
    private readonly directory: string,
    private readonly certificate: x509.X509Certificate,
    private readonly key: webcrypto.CryptoKey,
    private readonly now: () => Date,
  ) {}

  /** Reads the authority from `<dataDir>/keys`, or makes it at the first start. */
  static async open(directory: string, now: () => Date): Promise<CertificateAuthority> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const certificateFile = path.join(directory, 'ca.crt');
    const keyFile = path.join(directory, 'ca.key');
    if (!existsSync(certificateFile)) await createAuthority(certificateFile, keyFile, now());
    const certificate = new x509.X509Certificate(await readFile(certificateFile, 'utf8'));
    return new CertificateAuthority(directory, certificate, await importKey(await readFile(keyFile, 'utf8')), now);
  }

  get caPem(): string {
    return this.certificate.toString('pem');
  }

  /** base64url(SHA-256 of the certificate's DER): part of every enrolment token, so that a device trusts this CA only. */
  get fingerprint(): string {
    return createHash('sha256').update(Buffer.from(this.certificate.rawData)).digest('base64url');
  }

  /**
   * A client certificate for the key of a request; its subject is ignored, the controller names the device.
   * @throws ESP_CSR_INVALID
   */
  async issueDevice(csrPem: string, deviceId: string, days: number): Promise<IssuedCertificate> {
    let request: x509.Pkcs10CertificateRequest;
    try {
      request = new x509.Pkcs10CertificateRequest(csrPem);
    } catch (error) {
      throw CsrInvalid({ reason: 'it cannot be read' }, { cause: error });
    }
    const { namedCurve } = request.publicKey.algorithm as { namedCurve?: string };
    if (namedCurve !== P256.namedCurve) throw CsrInvalid({ reason: 'its key is not on P-256' });
    // Without the proof of possession anyone could ask for a certificate over another's public key [RFC 2986, 3].
    if (!(await request.verify())) throw CsrInvalid({ reason: 'its signature does not match its key' });
    return this.#issue(deviceId, request.publicKey, days, [CLIENT_AUTH], []);
  }

  /**
   * The server's certificate for these names and addresses, made anew when a name is missing or it is about to expire.
   * Also written to `server.crt` and `server.key`, where an external broker can take it from.
   */
  async serverIdentity(hosts: readonly string[]): Promise<Identity> {
    const names = [...new Set(['localhost', '127.0.0.1', '::1', ...hosts])];
    return this.#identity('server', 'espalier-controller', names, [SERVER_AUTH]);
  }

  /** What the controller shows to an external broker: the common name that its access list knows. */
  async controllerIdentity(): Promise<Identity> {
    return this.#identity('controller', 'espalier-controller', [], [CLIENT_AUTH]);
  }

  async #identity(file: string, name: string, hosts: readonly string[], usage: string[]): Promise<Identity> {
    const certificateFile = path.join(this.directory, `${file}.crt`);
    const keyFile = path.join(this.directory, `${file}.key`);
    if (existsSync(certificateFile) && existsSync(keyFile)) {
      const certificatePem = await readFile(certificateFile, 'utf8');
      if (this.#stillGood(certificatePem, hosts)) return { certificatePem, keyPem: await readFile(keyFile, 'utf8') };
    }
    const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const keyPem = await exportKey(keys.privateKey);
    const issued = await this.#issue(name, keys.publicKey, SERVER_DAYS, usage, hosts);
    await writeFileDurably(keyFile, (handle) => handle.writeFile(keyPem), { mode: 0o600 });
    await writeFileDurably(certificateFile, (handle) => handle.writeFile(issued.certificatePem));
    return { certificatePem: issued.certificatePem, keyPem };
  }

  #stillGood(certificatePem: string, hosts: readonly string[]): boolean {
    const certificate = new x509.X509Certificate(certificatePem);
    if (certificate.issuer !== this.certificate.subject) return false;
    if (certificate.notAfter.getTime() - this.now().getTime() < 30 * DAY_MS) return false;
    const listed = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const values = new Set(listed.map(({ value }) => value));
    return hosts.every((host) => values.has(host));
  }

  async #issue(
    name: string,
    publicKey: x509.PublicKey | webcrypto.CryptoKey,
    days: number,
    usage: string[],
    hosts: readonly string[],
  ): Promise<IssuedCertificate> {
    const from = this.now().getTime();
    const serialNumber = positiveSerial();
    const alternatives = hosts.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }));
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject: `CN=${name}`,
      issuer: this.certificate.subject,
      notBefore: new Date(from - CLOCK_SKEW_MS),
      notAfter: new Date(from + days * DAY_MS),
      signingKey: this.key as CryptoKey,
      publicKey: publicKey as CryptoKey,
      signingAlgorithm: P256,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(usage),
        ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
      ],
    });
    return { certificatePem: certificate.toString('pem'), serial: serialNumber, expiresAt: certificate.notAfter };
  }
}

type CryptoKey = NonNullable<
  Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]['keys']['privateKey']
>;

async function createAuthority(certificateFile: string, keyFile: string, now: Date): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: positiveSerial(),
    // A name of its own, so that certificates of two controllers are never taken for one another's.
    name: `CN=Espalier CA ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + CA_YEARS * 365.25 * DAY_MS),
    keys: keys as { privateKey: CryptoKey; publicKey: CryptoKey },
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const keyPem = await exportKey(keys.privateKey);
  // The key first: an authority exists once its certificate does.
  await writeFileDurably(keyFile, (handle) => handle.writeFile(keyPem), { mode: 0o600 });
  await writeFileDurably(certificateFile, (handle) => handle.writeFile(certificate.toString('pem')));
}

/** 127 random bits, hex: positive and not zero, as certificates want it [RFC 5280, 4.1.2.2]. */
function positiveSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  return webcrypto.subtle.importKey('pkcs8', der!, P256, false, ['sign']);
}

import { Facts, sha256Hex } from '@espalier/proto';
import type { CreatedEnrolmentToken, EnrolmentToken } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { ManifestSigner } from '../artifacts/signer.js';
import { addressesOf } from '../common/addresses.js';
import { Clock } from '../common/clock.js';
import { Config } from '../common/config.js';
import { DomainEvents } from '../common/domain-events.js';
import { EnrolmentRefused, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { newId, newSecret } from '../common/ids.js';
import { RunningPorts } from '../common/running-ports.js';
import { CertificateAuthority } from '../pki/authority.js';
import { ProfileCatalog } from '../profiles/profile-catalog.js';
import { DeviceRepository } from './device.repository.js';
import type { EnrolmentTokenEntity } from './enrolment.entity.js';
import { EnrolmentRepository } from './enrolment.repository.js';

export interface EnrolledDevice {
  readonly deviceId: string;
  readonly certificatePem: string;
  readonly caPem: string;
  readonly artifactKeys: Record<string, string>;
}

const hashOf = (secret: string): string => sha256Hex(new TextEncoder().encode(secret));

/** How a device comes into the fleet: a single-use token and a certificate request for a named, signed certificate. */
@Injectable()
export class EnrolmentService {
  constructor(
    private readonly enrolments: EnrolmentRepository,
    private readonly devices: DeviceRepository,
    private readonly authority: CertificateAuthority,
    private readonly signer: ManifestSigner,
    private readonly profiles: ProfileCatalog,
    private readonly events: EventBus,
    private readonly domain: DomainEvents,
    private readonly clock: Clock,
    private readonly config: Config,
    private readonly ports: RunningPorts,
  ) {}

  /** A token is `<secret>.<fingerprint of our CA>`: the device can tell us from anyone else before it sends it. */
  async createToken(name: string, minutes: number, createdBy: string): Promise<CreatedEnrolmentToken> {
    const secret = newSecret();
    const createdAt = this.clock.now();
    const expiresAt = new Date(createdAt.getTime() + minutes * 60_000);
    const id = newId('enr');
    await this.enrolments.insertToken({
      ...{ id, name, secretHash: hashOf(secret), expiresAt, usedAt: null, usedBy: null, createdBy, createdAt },
    });
    const token = `${secret}.${this.authority.fingerprint}`;
    const command = `espalier-agent enrol ${addressesOf(this.config, this.ports).web} --token ${token}`;
    return { id, token, command, expiresAt: expiresAt.toISOString() };
  }

  async tokens(): Promise<EnrolmentToken[]> {
    return (await this.enrolments.tokens()).map(toView);
  }

  /** @throws ESP_NOT_FOUND */
  async revokeToken(id: string): Promise<void> {
    if (!(await this.enrolments.deleteToken(id))) throw NotFound({ what: 'enrolment token', id });
  }

  /** @throws ESP_ENROLMENT_REFUSED, ESP_CSR_INVALID */
  async enrol(token: string, csrPem: string, factsJson: Uint8Array): Promise<EnrolledDevice> {
    const [secret = '', fingerprint = ''] = token.split('.');
    if (fingerprint !== this.authority.fingerprint) {
      throw EnrolmentRefused({ reason: 'the token was made by another controller' });
    }
    const facts = readFacts(factsJson);
    const deviceId = newId('dev', 8);
    const issued = await this.authority.issueDevice(csrPem, deviceId, this.config.certificateDays);
    const now = this.clock.now();
    const match = facts ? this.profiles.match(facts) : null;
    const used = await this.enrolments.enrol(hashOf(secret), now, {
      ...{ id: deviceId, name: facts?.hostname || deviceId, facts },
      ...{ profile: match?.profile ?? null, matched: match?.matched ?? [] },
      ...{ online: false, sessionId: null, bootId: facts?.bootId ?? null, lastSeenAt: now },
      ...{ servingDigest: null, previousDigest: null, servingModel: null, servingAt: null },
      ...{ healthy: true, endpoint: null, error: null },
      ...{ certificateSerial: issued.serial, certificateExpiresAt: issued.expiresAt },
      ...{ enrolledAt: now, removedAt: null },
    });
    if (!used) throw EnrolmentRefused({ reason: 'the token is not known, already used, or expired' });
    this.events.emit('device', deviceId);
    this.domain.emit('enrolled', { deviceId });
    return { deviceId, certificatePem: issued.certificatePem, ...this.#trust() };
  }

  /** A new certificate for an enrolled device. @throws ESP_CSR_INVALID */
  async renew(deviceId: string, csrPem: string): Promise<Omit<EnrolledDevice, 'deviceId'>> {
    const issued = await this.authority.issueDevice(csrPem, deviceId, this.config.certificateDays);
    await this.devices.update(deviceId, {
      certificateSerial: issued.serial,
      certificateExpiresAt: issued.expiresAt,
    });
    return { certificatePem: issued.certificatePem, ...this.#trust() };
  }

  #trust(): { caPem: string; artifactKeys: Record<string, string> } {
    return { caPem: this.authority.caPem, artifactKeys: this.signer.publicKeys() };
  }
}

/** Facts of a contract newer or older than ours must not keep a device out: it enrols without a profile. */
function readFacts(json: Uint8Array): Facts | null {
  try {
    return Facts.parse(JSON.parse(new TextDecoder().decode(json)));
  } catch {
    return null;
  }
}

function toView({ id, name, expiresAt, usedBy, createdAt }: EnrolmentTokenEntity): EnrolmentToken {
  return { id, name, expiresAt: expiresAt.toISOString(), usedBy, createdAt: createdAt.toISOString() };
}

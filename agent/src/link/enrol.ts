/** First contact: a token, an authority that the token vouches for, and a certificate in return. */
import { createHash, X509Certificate } from 'node:crypto';
import type { Facts } from '@espalier/proto';
import { EnrolmentClient, type EnrolResponse } from '@espalier/proto/grpc';
import { credentials } from '@grpc/grpc-js';
import { z } from 'zod';
import { CaMismatch, ControllerUnreachable, EnrolmentRefused, TokenInvalid } from '../errors.js';
import { type Identity, makeKey, makeRequest } from './identity.js';

const Info = z.object({ caPem: z.string(), enrolUrl: z.string(), grpcUrl: z.string(), mqttUrl: z.string() });

const TIMEOUT_MS = 20_000;

/** `<secret>.<fingerprint>` -> fingerprint. @throws ESP_TOKEN_INVALID */
function fingerprintOf(token: string): string {
  const [secret, fingerprint, ...rest] = token.split('.');
  if (!secret || !fingerprint || rest.length > 0)
    throw TokenInvalid({ problem: 'it is not of the form SECRET.FINGERPRINT' });
  return fingerprint;
}

async function readInfo(url: string): Promise<z.infer<typeof Info>> {
  try {
    const response = await fetch(new URL('/api/v1/enrolment', url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return Info.parse(await response.json());
  } catch (error) {
    const { message, cause } = error as Error;
    throw ControllerUnreachable({ url, cause: cause instanceof Error ? cause.message : message }, { cause: error });
  }
}

/**
 * Enrols this device. The token is sent only over a connection whose authority has the token's fingerprint.
 * @throws ESP_TOKEN_INVALID, ESP_CONTROLLER_UNREACHABLE, ESP_CA_MISMATCH, ESP_ENROLMENT_REFUSED
 */
export async function enrol(url: string, token: string, facts: Facts): Promise<Identity> {
  const wanted = fingerprintOf(token);
  const info = await readInfo(url);
  const found = createHash('sha256').update(new X509Certificate(info.caPem).raw).digest('base64url');
  if (found !== wanted) throw CaMismatch({ url });
  const keyPem = makeKey();
  const csrPem = await makeRequest(keyPem);
  const client = new EnrolmentClient(info.enrolUrl, credentials.createSsl(Buffer.from(info.caPem)));
  try {
    const answer = await new Promise<EnrolResponse>((resolve, reject) => {
      const request = { token, csrPem, facts: Buffer.from(JSON.stringify(facts)) };
      client.enrol(request, { deadline: Date.now() + TIMEOUT_MS } as never, (error, response) =>
        error ? reject(error) : resolve(response),
      );
    });
    return {
      ...{ deviceId: answer.deviceId, controllerUrl: url, grpcUrl: answer.grpcUrl, mqttUrl: answer.mqttUrl },
      ...{ artifactKeys: answer.artifactKeys, keyPem, certificatePem: answer.certificatePem, caPem: answer.caPem },
    };
  } catch (error) {
    throw EnrolmentRefused(
      { url, cause: (error as { details?: string }).details ?? (error as Error).message },
      { cause: error },
    );
  } finally {
    client.close();
  }
}

/**
 * The identity with the addresses that the controller has now: it may have moved since enrolment. Nobody else can give
 * new ones: the authority must be the one this device trusts already.
 * @throws ESP_CONTROLLER_UNREACHABLE, ESP_CA_MISMATCH
 */
export async function refreshAddresses(identity: Identity, url: string): Promise<Identity> {
  const { caPem, grpcUrl, mqttUrl } = await readInfo(url);
  if (caPem.trim() !== identity.caPem.trim()) throw CaMismatch({ url });
  return { ...identity, controllerUrl: url, grpcUrl, mqttUrl };
}

/**
 * Sealing of field samples: compressed, then encrypted to the controller's X25519 key as a compact JWE with ECDH-ES and
 * A256GCM [RFC 7516; RFC 7518, 4.6, 5.3; RFC 8037, 3.2]. The device's id is the producer's party info (`apu`), so that what
 * one device sealed is not taken for another's. A device cannot open what it has sealed.
 */
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { CompactEncrypt, compactDecrypt, type JWK } from 'jose';
import { type FieldSample, packSample, SAMPLE_BYTES_MAX, type SampleRecipient, unpackSample } from './sampling.js';

const KEY_AGREEMENT = 'ECDH-ES';
const CONTENT = 'A256GCM';
/** What a hostile device may make the controller unpack. */
const PACKED_BYTES_MAX = SAMPLE_BYTES_MAX + 128 * 1024;

const utf8 = new TextEncoder();
const deflate = promisify(deflateRaw);
const inflate: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer> = promisify(inflateRaw);

/** @returns a compact JWE, ASCII */
export async function sealSample(sample: FieldSample, recipient: SampleRecipient, deviceId: string): Promise<Buffer> {
  const packed = await deflate(packSample(sample));
  const jwe = await new CompactEncrypt(packed)
    .setProtectedHeader({ alg: KEY_AGREEMENT, enc: CONTENT })
    .setKeyManagementParameters({ apu: utf8.encode(deviceId) })
    .encrypt(recipient);
  return Buffer.from(jwe, 'ascii');
}

/**
 * @param key the private JWK of the recipient
 * @throws whatever is wrong with it: another key, another device, a changed byte, more bytes than a sample may have
 */
export async function openSample(sealed: Uint8Array, key: JWK, deviceId: string): Promise<FieldSample> {
  const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, {
    keyManagementAlgorithms: [KEY_AGREEMENT],
    contentEncryptionAlgorithms: [CONTENT],
  });
  if (protectedHeader.apu !== Buffer.from(deviceId).toString('base64url')) throw new Error('another device sealed it');
  return unpackSample(await inflate(plaintext, { maxOutputLength: PACKED_BYTES_MAX }));
}

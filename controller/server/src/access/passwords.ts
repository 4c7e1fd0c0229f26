import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2) as (algorithm: 'argon2id', parameters: object) => Promise<Buffer>;

/** OWASP's second recommended setting for argon2id: 19 MiB, 2 passes, 1 lane. */
const PARAMETERS = { parallelism: 1, memory: 19_456, passes: 2, tagLength: 32 } as const;

/** `argon2id$<salt>$<tag>`, both base64url [RFC 9106]. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16);
  const tag = await derive('argon2id', { ...PARAMETERS, message: Buffer.from(password), nonce });
  return `argon2id$${nonce.toString('base64url')}$${tag.toString('base64url')}`;
}

export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [, salt = '', wanted = ''] = stored.split('$');
  const tag = await derive('argon2id', {
    ...PARAMETERS,
    message: Buffer.from(password),
    nonce: Buffer.from(salt, 'base64url'),
  });
  const expected = Buffer.from(wanted, 'base64url');
  return expected.length === tag.length && timingSafeEqual(expected, tag);
}

import { randomBytes } from 'node:crypto';

/** A new id: `prefix-` and as many characters of 5 random bits each; ten hold 50 bits, enough for any table here. */
export function newId(prefix: string, characters = 10, random: (bytes: number) => Uint8Array = randomBytes): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'; // 32 signs that are not mistaken for each other
  let text = '';
  for (const byte of random(characters)) text += alphabet[byte & 31];
  return `${prefix}-${text}`;
}

/** A secret of 256 bits, base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

import { InvalidArgumentError } from 'commander';

/** A share of a whole, neither nothing nor all of it. */
export function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('It must lie between 0 and 1.');
}

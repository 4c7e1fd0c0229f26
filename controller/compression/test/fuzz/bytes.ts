/** Mutations of a file that know nothing of its format. */
export type Random = () => number;

export const below = (random: Random, limit: number): number => Math.floor(random() * limit);
export const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

type ByteMutation = (file: Uint8Array, random: Random) => Uint8Array;

/** A place near the start half of the time: that is where the structure stands, weights fill the rest. */
const placeIn = (file: Uint8Array, random: Random): number =>
  below(random, random() < 0.5 ? Math.min(file.length, 4096) : file.length);

export const BYTE_MUTATIONS: Readonly<Record<string, ByteMutation>> = {
  flipBits(file, random) {
    const changed = new Uint8Array(file);
    for (let left = 1 + below(random, 8); left > 0; left--) changed[placeIn(file, random)]! ^= 1 << below(random, 8);
    return changed;
  },
  truncate: (file, random) => file.slice(0, placeIn(file, random)),
  zeroRun(file, random) {
    const at = placeIn(file, random);
    return new Uint8Array(file).fill(0, at, Math.min(file.length, at + 1 + below(random, 64)));
  },
  randomRun(file, random) {
    const changed = new Uint8Array(file);
    const at = placeIn(file, random);
    for (let next = at; next < at + 16 && next < changed.length; next++) changed[next] = below(random, 256);
    return changed;
  },
  cutOut(file, random) {
    const at = placeIn(file, random);
    return Buffer.concat([file.subarray(0, at), file.subarray(at + 1 + below(random, 32))]);
  },
  repeatRun(file, random) {
    const at = placeIn(file, random);
    const end = at + 1 + below(random, 64);
    return Buffer.concat([file.subarray(0, end), file.subarray(at)]);
  },
};

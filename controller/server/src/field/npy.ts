/** The head of an .npy file, version 1.0, row-major [numpy.lib.format]; the values follow it, little-endian. Pure. */
import type { SampleType } from '@espalier/proto';

export const NPY_TYPES: Readonly<Record<SampleType, string>> = {
  ...{ float32: '<f4', uint8: '|u1', int8: '|i1', int32: '<i4', int64: '<i8' },
};

export function npyHead(descr: string, shape: readonly number[]): Buffer {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  // Magic, version and length take 10 bytes; with the newline the head is a multiple of 64.
  const text = `${dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11)}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(text, 'latin1')]);
}

import type { Server } from 'node:net';
import type { CodedError } from '@espalier/proto';
import { AddressInvalid, PortTaken } from './errors.js';

/** A failed listen as a coded error that names what wanted the port and how to choose another. */
export function listenError(
  error: NodeJS.ErrnoException,
  host: string,
  port: number,
  purpose: string,
  variable: string,
): CodedError | Error {
  if (error.code === 'EADDRINUSE') return PortTaken({ port, host, purpose, variable }, { cause: error });
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return AddressInvalid({ host, purpose, reason: error.message }, { cause: error });
  return error;
}

/** Listens, or rejects. @throws ESP_PORT_TAKEN, ESP_ADDRESS_INVALID */
export function listening(
  server: Server,
  host: string,
  port: number,
  purpose: string,
  variable: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port, purpose, variable)));
    server.listen(port, host, resolve);
  });
}

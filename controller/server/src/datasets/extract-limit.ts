import { DatasetTooLarge } from '../common/errors.js';

export interface ExtractLimits {
  readonly filesMax: number;
  readonly fileBytesMax: number;
  readonly totalBytesMax: number;
}

export const EXTRACT_LIMITS: ExtractLimits = {
  filesMax: 200_000,
  fileBytesMax: 512 * 1024 * 1024,
  totalBytesMax: 8 * 1024 * 1024 * 1024,
};

/** Counts what an archive unpacks to, and throws ESP_DATASET_TOO_LARGE before the disk learns of an archive bomb. */
export class ExtractCount {
  #files = 0;
  #totalBytes = 0;

  constructor(private readonly limits: ExtractLimits) {}

  file(): void {
    this.#files++;
    if (this.#files > this.limits.filesMax) throw DatasetTooLarge({ what: 'files', limit: this.limits.filesMax });
  }

  /** @param fileBytes of the current file so far, with these */
  bytes(added: number, fileBytes: number): void {
    this.#totalBytes += added;
    if (fileBytes > this.limits.fileBytesMax) {
      throw DatasetTooLarge({ what: 'bytes in one file', limit: this.limits.fileBytesMax });
    }
    if (this.#totalBytes > this.limits.totalBytesMax) {
      throw DatasetTooLarge({ what: 'bytes in all', limit: this.limits.totalBytesMax });
    }
  }
}

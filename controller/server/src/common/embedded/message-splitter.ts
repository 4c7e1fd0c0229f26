/** One frontend message of the PostgreSQL wire protocol. */
export interface FrontendMessage {
  readonly bytes: Uint8Array;
  readonly terminate: boolean;
}

const TERMINATE = 0x58; // 'X' [PostgreSQL protocol 3.0, message formats]

/**
 * Cuts a byte stream into frontend messages: the first (startup) is `int32 length, body`, all others
 * `byte type, int32 length, body`, the length counting itself. Keeps what is incomplete for the next chunk.
 */
export class MessageSplitter {
  #rest = Buffer.alloc(0);
  #started = false;

  *push(chunk: Uint8Array): Generator<FrontendMessage> {
    let bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk);
    for (;;) {
      const head = this.#started ? 1 : 0;
      if (bytes.length < head + 4) break;
      const length = head + bytes.readInt32BE(head);
      if (bytes.length < length) break;
      const message = bytes.subarray(0, length);
      bytes = bytes.subarray(length);
      const terminate = this.#started && message[0] === TERMINATE;
      this.#started = true;
      yield { bytes: message, terminate };
    }
    this.#rest = bytes;
  }
}

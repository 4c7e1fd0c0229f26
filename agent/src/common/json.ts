/** Bytes as JSON, or null for what is none: an empty message takes a retained one away [MQTT 3.1.1, 3.3.1.3]. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return null;
  }
}

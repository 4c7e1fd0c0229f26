import type { UpKind } from './up.js';

/** Major version of the contract; a breaking change gets a new branch beside the old one. */
export const CONTRACT = 1;

/** Device ids stand in topics and certificate names, so they are plain: no `+`, `#`, `/` or spaces. */
export const DEVICE_ID = /^[a-z0-9][a-z0-9-]{2,62}$/;

/** MQTT topics. A device publishes only below its own `up` and subscribes only below its own `down`. */
export const topics = {
  up: (deviceId: string, kind: UpKind): string => `esp/${CONTRACT}/${deviceId}/up/${kind}`,
  upAll: (): string => `esp/${CONTRACT}/+/up/+`,
  desired: (deviceId: string): string => `esp/${CONTRACT}/${deviceId}/down/desired`,
  ack: (deviceId: string): string => `esp/${CONTRACT}/${deviceId}/down/ack`,
  downAll: (deviceId: string): string => `esp/${CONTRACT}/${deviceId}/down/#`,
} as const;

/** Splits an up topic, or null if it is none. */
export function parseUpTopic(topic: string): { deviceId: string; kind: string } | null {
  const parts = topic.split('/');
  if (parts.length !== 5 || parts[0] !== 'esp' || parts[1] !== String(CONTRACT) || parts[3] !== 'up') return null;
  return { deviceId: parts[2]!, kind: parts[4]! };
}

/** What a device with this certificate name may do on a topic: the one rule behind every broker's ACL. */
export function mayAccess(deviceId: string, action: 'publish' | 'subscribe', topic: string): boolean {
  const branch = `esp/${CONTRACT}/${deviceId}/${action === 'publish' ? 'up' : 'down'}/`;
  return topic.startsWith(branch) && (action === 'subscribe' || !/[+#]/.test(topic));
}

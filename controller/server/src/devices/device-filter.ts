import type { DeviceStatus } from '@espalier/proto/api';
import { FilterInvalid } from '../common/errors.js';

/** A filter bar's text, taken apart. Terms of one key are alternatives; different keys must all hold. */
export interface DeviceFilter {
  readonly words: readonly string[];
  readonly status: readonly string[];
  readonly profile: readonly string[];
  readonly model: readonly string[];
  readonly id: readonly string[];
}

const KEYS = ['status', 'profile', 'model', 'id'] as const;

/** `online profile:arm64-dotprod cam` -> words and terms. @throws ESP_FILTER_INVALID for a key that is not known */
export function parseDeviceFilter(text: string): DeviceFilter {
  const filter = {
    words: [] as string[],
    status: [] as string[],
    profile: [] as string[],
    model: [] as string[],
    id: [] as string[],
  };
  for (const term of text.trim().split(/\s+/).filter(Boolean)) {
    const colon = term.indexOf(':');
    if (colon < 1) {
      filter.words.push(term.toLowerCase());
      continue;
    }
    const key = KEYS.find((known) => known === term.slice(0, colon).toLowerCase());
    if (!key) throw FilterInvalid({ term, allowed: KEYS.map((known) => `${known}:`) });
    filter[key].push(
      ...term
        .slice(colon + 1)
        .split(',')
        .filter(Boolean),
    );
  }
  return filter;
}

/** Degraded outranks the rest: it serves badly or not at all, online or not. */
export function statusOf(device: { online: boolean; healthy: boolean }): DeviceStatus {
  if (!device.healthy) return 'degraded';
  return device.online ? 'online' : 'offline';
}

export interface Filterable {
  readonly id: string;
  readonly name: string;
  readonly profile: string | null;
  readonly online: boolean;
  readonly healthy: boolean;
  readonly servingModel: string | null;
}

export function matchesFilter(device: Filterable, filter: DeviceFilter): boolean {
  const has = (wanted: readonly string[], value: string | null): boolean =>
    wanted.length === 0 || (value !== null && wanted.some((one) => one.toLowerCase() === value.toLowerCase()));
  const name = `${device.name} ${device.id}`.toLowerCase();
  return (
    has(filter.status, statusOf(device)) &&
    has(filter.profile, device.profile) &&
    has(filter.model, device.servingModel) &&
    has(filter.id, device.id) &&
    filter.words.every((word) => name.includes(word))
  );
}

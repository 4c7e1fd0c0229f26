/** What people look for in a list of machines, from systeminformation; nothing here decides a profile. */
import type { Facts } from '@espalier/proto';
import si from 'systeminformation';

/** The file system with the longest mount point that a folder lies in. */
export function mountOf<T extends { readonly mount: string }>(folder: string, mounts: readonly T[]): T | null {
  const holds = ({ mount }: T): boolean =>
    folder === mount || folder.startsWith(mount.endsWith('/') ? mount : `${mount}/`);
  return mounts.filter(holds).sort((a, b) => b.mount.length - a.mount.length)[0] ?? null;
}

const cacheBytes = (read: number | null): number | null => (read && read > 0 ? read : null);

/**
 * Reads the host; takes some 200 ms and starts processes, so never inside a measuring window. Never throws: what cannot
 * be read is null.
 * @param dataDir the folder whose disk the models are kept on
 */
export async function readHost(dataDir: string): Promise<Facts['host']> {
  const unknown = (): null => null;
  const [os, cpu, disks, interfaces] = await Promise.all([
    si.osInfo().catch(unknown),
    si.cpu().catch(unknown),
    si.fsSize().catch(unknown),
    si.networkInterfaces().catch(unknown),
  ]);
  const disk = mountOf(dataDir, disks ?? []);
  return {
    osName: [os?.distro, os?.release, os?.codename && `(${os.codename})`].filter(Boolean).join(' ') || null,
    cpuBrand: cpu?.brand || null,
    caches: cpu
      ? {
          ...{ l1dBytes: cacheBytes(cpu.cache.l1d), l1iBytes: cacheBytes(cpu.cache.l1i) },
          ...{ l2Bytes: cacheBytes(cpu.cache.l2), l3Bytes: cacheBytes(cpu.cache.l3) },
        }
      : null,
    disk: disk ? { mount: disk.mount, type: disk.type, totalBytes: disk.size } : null,
    addresses: (Array.isArray(interfaces) ? interfaces : [])
      .filter(({ internal, ip4, ip6 }) => !internal && (ip4 || ip6))
      .map(({ iface, ip4, ip6 }) => ({ interface: iface, ip4: ip4 || null, ip6: ip6 || null })),
  };
}

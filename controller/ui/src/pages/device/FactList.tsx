import type { DeviceView } from '@espalier/proto/api';
import { Facts } from '../../components/Facts';
import { formatBytes } from '../../components/format';
import { devices as s } from '../../strings/devices';

const join = (parts: readonly (string | null)[]): string | null => parts.filter(Boolean).join(' ') || null;

/** What the agent read about its machine; the source of each fact on hover. */
export function FactList({ facts }: { readonly facts: DeviceView['facts'] }) {
  if (!facts) return <span className="muted">{s.factsEmpty}</span>;
  const { cpu, host, memory, os } = facts;
  const rows = [
    [s.hostname, facts.hostname, 'hostname'],
    [s.board, facts.board.model, 'board.model'],
    [s.soc, facts.soc, 'soc'],
    [s.cpu, cpu.model ?? host?.cpuBrand ?? null, 'cpu.model'],
    [s.cores, String(cpu.cores), 'cpu.cores'],
    [s.features, cpu.features.join(' ') || null, 'cpu.features'],
    [s.memory, formatBytes(memory.limitBytes ?? memory.totalBytes), 'memory.totalBytes'],
    [s.disk, host?.disk ? `${formatBytes(host.disk.totalBytes)} ${host.disk.type} (${host.disk.mount})` : null, 'host'],
    [s.os, host?.osName ?? join([os.id, os.version]), 'os.id'],
    [s.kernel, os.kernel, 'os.kernel'],
    [s.addresses, host?.addresses.map(({ ip4, ip6 }) => ip4 ?? ip6).join(', ') || null, 'host'],
    [s.container, facts.container, 'container'],
    [s.runtimes, facts.runtimes.map(({ adapter, version }) => `${adapter} ${version}`).join(', ') || null, 'runtimes'],
    [s.agent, facts.agentVersion, 'agentVersion'],
  ] as const;
  return (
    <div className="card">
      <Facts
        of={rows.map(([name, value, path]) => [
          name,
          value && (
            <span key={path} title={facts.sources[path]}>
              {value}
            </span>
          ),
        ])}
      />
    </div>
  );
}

import type { DeviceRow } from '@espalier/proto/api';
import { useMediaQuery } from '@mantine/hooks';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import { Link } from 'wouter';
import type { usePages } from '../../api/queries';
import { Latency } from '../../components/Latency';
import { Status } from '../../components/Status';
import { When } from '../../components/When';
import { devices as s } from '../../strings/devices';

const ROW_PX = 44;
/** On a phone what a device serves stands below its name. */
const PHONE_ROW_PX = 60;
/** Rows left below the window when the next page is asked for. */
const AHEAD = 40;

const columns = [
  [s.name, ''],
  [s.status, ''],
  [s.profile, 'wide-only'],
  [s.serving, 'wide-only'],
  [s.p50, 'num'],
  [s.p95, 'num wide-only'],
  [s.seen, 'wide-only'],
] as const;

const servedWords = ({ serving }: DeviceRow): string =>
  serving ? `${serving.model} ${serving.modelVersion} ${serving.method}` : s.nothing;

function Cells({ device }: { readonly device: DeviceRow }) {
  // What an offline device measured last may be old; it is shown, but not as the present.
  const faded = device.status === 'offline' ? 'muted' : '';
  return (
    <>
      <td>
        <Link className="nowrap" href={`/devices/${device.id}`}>
          {device.name}
        </Link>
        <div className="phone-only muted">{servedWords(device)}</div>
      </td>
      <td>
        <Status state={device.status} />
      </td>
      <td className="wide-only nowrap">{device.profile ?? '–'}</td>
      <td className={`wide-only nowrap ${device.serving ? '' : 'muted'}`}>{servedWords(device)}</td>
      <td className={`num ${faded}`}>
        <Latency latency={device.latency} />
      </td>
      <td className={`num wide-only ${faded}`}>
        <Latency latency={device.latency} figure="p95Us" />
      </td>
      <td className="wide-only">
        <When at={device.lastSeenAt} />
      </td>
    </>
  );
}

/** The height of the rows that are not drawn. */
const Gap = ({ px }: { readonly px: number }) => (
  <tr style={{ blockSize: px, border: 0 }}>
    <td colSpan={columns.length} style={{ padding: 0 }} />
  </tr>
);

/** Draws only the rows in sight, in a real table whose row count and indices are told to screen readers. */
export function DeviceTable({ devices }: { readonly devices: ReturnType<typeof usePages<DeviceRow>> }) {
  const { rows, total, hasNextPage, isFetchingNextPage, fetchNextPage } = devices;
  const box = useRef<HTMLElement>(null);
  const rowPx = useMediaQuery('(width <= 760px)') ? PHONE_ROW_PX : ROW_PX;
  const list = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowPx,
    overscan: 12,
    scrollMargin: box.current?.offsetTop ?? 0,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new row height makes all sizes known so far wrong
  useEffect(() => list.measure(), [rowPx]);
  const items = list.getVirtualItems();
  const lastIndex = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && lastIndex > rows.length - AHEAD) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, lastIndex, rows.length, fetchNextPage]);
  const before = (items[0]?.start ?? 0) - list.options.scrollMargin;
  const after = list.getTotalSize() - (items.at(-1)?.end ?? 0) + list.options.scrollMargin;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard (WCAG 2.1.1)
    <section className="table-box" ref={box} aria-label={s.title} tabIndex={0}>
      <table className="table" aria-rowcount={total + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map(([name, className]) => (
              <th key={name} scope="col" className={className}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <Gap px={before} />}
          {items.map(({ index }) => {
            const device = rows[index];
            return (
              device && (
                <tr key={device.id} aria-rowindex={index + 2} style={{ blockSize: rowPx }}>
                  <Cells device={device} />
                </tr>
              )
            );
          })}
          {after > 0 && <Gap px={after} />}
        </tbody>
      </table>
    </section>
  );
}

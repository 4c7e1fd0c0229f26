import { Button, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useDevices, useFleet } from '../../api/queries';
import { Empty } from '../../components/Empty';
import { ErrorNote } from '../../components/ErrorNote';
import { Icon } from '../../components/Icon';
import { icons } from '../../components/icons';
import { May } from '../../components/May';
import { Page } from '../../components/Page';
import { useUrlState } from '../../components/url-state';
import { Waiting } from '../../components/Waiting';
import { states } from '../../strings/common';
import { devices as s } from '../../strings/devices';
import { AddDevice } from './AddDevice';
import { DeviceTable } from './DeviceTable';

/** A key press does not wait for the network; the question goes out when typing rests. */
const REST_MS = 150;

/** The filter as typed, with the usual ones a click away, each with its count. */
function FilterBar({ q, onChange }: { readonly q: string; readonly onChange: (q: string) => void }) {
  const [text, setText] = useState(q);
  const fleet = useFleet();
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    const timer = setTimeout(() => text !== q && onChange(text), REST_MS);
    return () => clearTimeout(timer);
  }, [text, q, onChange]);
  return (
    <search className="row">
      <TextInput
        data-filter
        style={{ flex: '1 1 220px', maxWidth: 460 }}
        aria-label={s.filter}
        placeholder={s.filterHint}
        leftSection={<Icon path={icons.search} />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {(['online', 'degraded', 'offline'] as const).map((status) => (
        <Link key={status} className="small" href={`/devices?q=status:${status}`}>
          {states[status]} {fleet.data?.devices[status] ?? ''}
        </Link>
      ))}
      <Link className="small" href="/devices">
        {s.all} {fleet.data?.devices.total ?? ''}
      </Link>
    </search>
  );
}

/** Which devices ...? The filter is in the address and is the server's: the page never holds the whole fleet. */
export default function DevicesPage() {
  const [q, setQ] = useUrlState('q');
  const [add, setAdd] = useUrlState('add');
  const devices = useDevices(q);
  const addButton = (
    <May>
      <Button leftSection={<Icon path={icons.plus} />} onClick={() => setAdd('1')}>
        {s.add}
      </Button>
    </May>
  );
  const clearButton = (
    <Button variant="default" onClick={() => setQ('')}>
      {s.clear}
    </Button>
  );
  return (
    <Page
      title={s.title}
      actions={addButton}
      below={<span aria-live="polite">{devices.data && s.found(devices.total)}</span>}
    >
      <div className="stack">
        <FilterBar q={q} onChange={setQ} />
        <ErrorNote thrown={devices.error} onRetry={() => void devices.refetch()} />
        {devices.isPending && !devices.error && <Waiting lines={8} />}
        {devices.data && devices.rows.length > 0 && <DeviceTable devices={devices} />}
        {devices.data &&
          devices.rows.length === 0 &&
          (q ? (
            <Empty title={s.noMatch} why={s.noMatchWhy} action={clearButton} />
          ) : (
            <Empty title={s.empty} why={s.emptyWhy} action={addButton} />
          ))}
      </div>
      {add && <AddDevice onClose={() => setAdd('')} />}
    </Page>
  );
}

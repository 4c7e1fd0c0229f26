import { ActionIcon, Button, Tooltip, useMantineColorScheme } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { connectLive } from '../api/live';
import { Brand, Icon } from '../components/Icon';
import { icons } from '../components/icons';
import { shell as s } from '../strings/shell';
import { useArrival } from './arrival';
import { JobWatch } from './JobWatch';
import { useKeys } from './keyboard';
import { LiveMark } from './LiveMark';
import { places } from './navigation';
import { useStale } from './stale';

const Palette = lazy(() => import('./Palette'));
const KeysDialog = lazy(() => import('./KeysDialog'));

const order = ['auto', 'light', 'dark'] as const;

/** As the system says, light, dark, and round again; the kit remembers the choice in the browser. */
function SchemeToggle() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = order[(order.indexOf(colorScheme) + 1) % order.length] ?? 'auto';
  const label = s.scheme(colorScheme, next);
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={() => setColorScheme(next)}>
        <Icon path={icons[colorScheme]} />
      </ActionIcon>
    </Tooltip>
  );
}

/** The main menu: always there on wide screens, behind a button on a phone. */
function SideBar({ open, onGo }: { readonly open: boolean; readonly onGo: () => void }) {
  const [location] = useLocation();
  const isHere = (path: string) => (path === '/' ? location === '/' : location.startsWith(path));
  return (
    <nav className="shell-nav" aria-label={s.mainMenu} data-open={open} id="main-menu">
      <ul className="bare">
        {places.map(({ path, label, icon }) => (
          <li key={path}>
            <Link href={path} className="nav-link" aria-current={isHere(path) ? 'page' : undefined} onClick={onGo}>
              <Icon path={icon} />
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** The frame of every page of a signed-in person: head, side bar, and the one live stream. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const client = useQueryClient();
  const [menu, setMenu] = useState(false);
  const [overlay, setOverlay] = useState<'palette' | 'keys' | null>(null);
  const close = () => setOverlay(null);
  useEffect(() => connectLive(client), [client]);
  useArrival();
  const stale = useStale();
  useKeys(useCallback(() => setOverlay('keys'), []));
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'k') return;
      event.preventDefault();
      setOverlay('palette');
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {s.skip}
      </a>
      <header className="shell-head">
        <ActionIcon
          className="menu-button"
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={s.menu}
          aria-expanded={menu}
          aria-controls="main-menu"
          onClick={() => setMenu(!menu)}
        >
          <Icon path={icons.menu} />
        </ActionIcon>
        <Link href="/" className="brand" onClick={() => setMenu(false)}>
          <Brand />
          {s.product}
        </Link>
        <span style={{ flex: 1 }} />
        <LiveMark />
        <Button
          className="wide-only"
          variant="default"
          size="xs"
          leftSection={<Icon path={icons.search} />}
          onClick={() => setOverlay('palette')}
        >
          {s.search}
        </Button>
        <SchemeToggle />
      </header>
      <JobWatch />
      <SideBar open={menu} onGo={() => setMenu(false)} />
      <main className="shell-main" id="main" tabIndex={-1} data-stale={stale}>
        {children}
      </main>
      <Suspense>
        {overlay === 'palette' && <Palette onClose={close} />}
        {overlay === 'keys' && <KeysDialog onClose={close} />}
      </Suspense>
    </div>
  );
}

import '@mantine/core/styles/ScrollArea.css';
import '@mantine/spotlight/styles.css';
import { createSpotlight, Spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { useDevices, useModels, useRollouts } from '../api/queries';
import { Icon } from '../components/Icon';
import { icons } from '../components/icons';
import { shell as s } from '../strings/shell';
import { places } from './navigation';

const [store, spotlight] = createSpotlight();

/** The palette: go anywhere, open a device, model or rollout by its name, all from one key. */
export default function Palette({ onClose }: { readonly onClose: () => void }) {
  const [, go] = useLocation();
  const [query, setQuery] = useState('');
  const devices = useDevices(query.trim());
  const models = useModels();
  const rollouts = useRollouts();
  useEffect(() => {
    spotlight.open();
  }, []);
  const action = (path: string, label: string, description: string, icon: string): SpotlightActionData => ({
    id: path,
    label,
    description,
    leftSection: <Icon path={icon} />,
    onClick: () => go(path),
  });
  const actions = [
    ...places.map(({ path, label, icon, key }) => action(path, label, s.goWith(key), icon)),
    action('/rollouts/new', s.newRollout, s.startsHere, icons.rollout),
    action('/devices?add=1', s.addDevice, s.startsHere, icons.device),
    ...(models.data ?? []).map((model) =>
      action(`/models/${model.id}`, `${model.name} ${model.version}`, s.model, icons.model),
    ),
    ...devices.rows
      .slice(0, 20)
      .map((device) => action(`/devices/${device.id}`, device.name, device.profile ?? s.device, icons.device)),
    ...rollouts.rows
      .slice(0, 20)
      .map((rollout) => action(`/rollouts/${rollout.id}`, rollout.name, s.rollout, icons.rollout)),
  ];
  return (
    <Spotlight
      store={store}
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      onSpotlightClose={onClose}
      shortcut={null}
      limit={12}
      nothingFound={s.nothingFound}
      searchProps={{
        placeholder: s.paletteHint,
        'aria-label': s.paletteHint,
        leftSection: <Icon path={icons.search} />,
      }}
    />
  );
}

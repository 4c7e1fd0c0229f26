import { icons } from '../components/icons';
import { shell } from '../strings/shell';

/** The rooms of the house: one list for the side bar, the palette and the `g` keys. */
export const places = [
  { path: '/', label: shell.fleet, icon: icons.fleet, key: 'f' },
  { path: '/devices', label: shell.devices, icon: icons.device, key: 'd' },
  { path: '/models', label: shell.models, icon: icons.model, key: 'm' },
  { path: '/rollouts', label: shell.rollouts, icon: icons.rollout, key: 'r' },
  { path: '/optimizations', label: shell.optimizations, icon: icons.optimize, key: 'o' },
  { path: '/profiles', label: shell.profiles, icon: icons.profile, key: 'p' },
  { path: '/settings', label: shell.settings, icon: icons.settings, key: 's' },
] as const;

import { type ComponentType, lazy, Suspense } from 'react';
import { Route, Switch } from 'wouter';
import { Waiting } from '../components/Waiting';
import { NotFound } from '../pages/not-found/NotFound';

/** Each page is its own file to load; what the first page does not need comes later. */
const routes: readonly (readonly [string, ComponentType])[] = [
  ['/', lazy(() => import('../pages/fleet/FleetPage'))],
  ['/devices', lazy(() => import('../pages/devices/DevicesPage'))],
  ['/devices/:id', lazy(() => import('../pages/device/DevicePage'))],
  ['/models', lazy(() => import('../pages/models/ModelsPage'))],
  ['/models/:id', lazy(() => import('../pages/model/ModelPage'))],
  ['/variants/:id', lazy(() => import('../pages/variant/VariantPage'))],
  ['/rollouts', lazy(() => import('../pages/rollouts/RolloutsPage'))],
  ['/rollouts/new', lazy(() => import('../pages/new-rollout/NewRolloutPage'))],
  ['/rollouts/:id', lazy(() => import('../pages/rollout/RolloutPage'))],
  ['/optimizations', lazy(() => import('../pages/optimizations/OptimizationsPage'))],
  ['/jobs/:id', lazy(() => import('../pages/job/JobPage'))],
  ['/profiles', lazy(() => import('../pages/profiles/ProfilesPage'))],
  ['/profiles/:id', lazy(() => import('../pages/profile/ProfilePage'))],
  ['/settings', lazy(() => import('../pages/settings/SettingsPage'))],
];

/** The page of the address. */
export function Pages() {
  return (
    <Suspense fallback={<Waiting />}>
      <Switch>
        {routes.map(([path, component]) => (
          <Route key={path} path={path} component={component} />
        ))}
        <Route component={NotFound} />
      </Switch>
    </Suspense>
  );
}

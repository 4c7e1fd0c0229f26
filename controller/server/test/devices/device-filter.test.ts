/** The filter bar of the device list. */
import { matchesFilter, parseDeviceFilter, statusOf } from '@espalier/server/devices/device-filter';
import t from 'tap';

const device = (change: object = {}) => ({
  ...{
    id: 'dev-abc',
    name: 'Kitchen camera',
    profile: 'x64-avx2',
    online: true,
    healthy: true,
    servingModel: 'fashion',
  },
  ...change,
});

for (const [text, change, matches] of [
  ['', {}, true],
  ['kitchen', {}, true],
  ['KITCHEN cam', {}, true],
  ['kitchen door', {}, false],
  ['dev-abc', {}, true],
  ['status:online', {}, true],
  ['status:offline', {}, false],
  ['status:offline', { online: false }, true],
  ['status:online', { healthy: false }, false],
  ['status:online,degraded', { healthy: false }, true],
  ['profile:x64-avx2 profile:arm64-neon', {}, true],
  ['profile:arm64-neon', {}, false],
  ['profile:x64-avx2', { profile: null }, false],
  ['model:Fashion status:online', {}, true],
  ['model:other', { servingModel: null }, false],
  ['id:dev-abc', {}, true],
  ['id:dev-a', {}, false],
] as const) {
  t.test(`"${text}" ${matches ? 'finds' : 'leaves out'} ${JSON.stringify(change)}`, async (t) => {
    t.equal(matchesFilter(device(change), parseDeviceFilter(text)), matches);
  });
}

t.test('a term that is not known is refused with those that are', async (t) => {
  t.throws(() => parseDeviceFilter('colour:red'), { code: 'ESP_FILTER_INVALID', message: /colour:red.*status:/ });
});

t.test('a device that serves badly is degraded, there or not', async (t) => {
  t.equal(statusOf({ online: false, healthy: false }), 'degraded');
});

import { mountOf, readHost } from '@espalier/agent/hardware/host';
import { Facts } from '@espalier/proto';
import t from 'tap';

t.test('the disk of a folder is that of the longest mount point above it', async (t) => {
  const mounts = [{ mount: '/' }, { mount: '/var' }, { mount: '/var/lib/espalier' }, { mount: '/var/libx' }];
  t.strictSame(mountOf('/var/lib/espalier', mounts), { mount: '/var/lib/espalier' });
  t.strictSame(mountOf('/var/lib/other', mounts), { mount: '/var' });
  t.strictSame(mountOf('/home', mounts), { mount: '/' });
  t.equal(mountOf('/home', []), null);
});

t.test('this machine is read as the contract says', async (t) => {
  const host = await readHost(import.meta.dirname);
  t.ok(Facts.shape.host.safeParse(host).success);
  t.ok(host?.osName, 'with the name of its system');
  t.ok((host?.disk?.totalBytes ?? 0) > 0, 'and the size of its disk');
});

/** Where a setting comes from, which one wins, and that a wrong one is named before anything starts. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ConfigSources, loadConfig } from '@espalier/server/common/config';
import t from 'tap';
import { scratchFolder } from '../support/controller.ts';

const folder = scratchFolder(t);
const from = (sources: Partial<ConfigSources>) =>
  loadConfig({ flags: {}, env: {}, file: null, defaultDataDir: folder, ...sources });

function file(text: string): string {
  const place = path.join(folder, `${Math.abs(text.length * 31)}-${text.charCodeAt(0)}.yaml`);
  writeFileSync(place, text);
  return place;
}

t.test('nothing set: this machine only, on the ports of the documentation, in the embedded database', async (t) => {
  const config = from({});
  const { host, httpPort, grpcPort, mqttPort, enrolPort, databaseUrl, mqttUrl } = config;
  t.strictSame([host, httpPort, grpcPort, mqttPort, enrolPort], ['127.0.0.1', 4280, 4281, 4282, 4283]);
  t.strictSame([databaseUrl, mqttUrl], [undefined, undefined]);
  t.equal(config.dataDir, folder);
});

t.test('flags win over the environment, that over the file', async (t) => {
  const sources = {
    file: file('httpPort: 1\ngrpcPort: 2\nmqttPort: 3\n'),
    env: { ESPALIER_HTTP_PORT: '4', ESPALIER_GRPC_PORT: '5' },
  };
  const { httpPort, grpcPort, mqttPort } = from({ ...sources, flags: { httpPort: '6', grpcPort: undefined } });
  t.strictSame([httpPort, grpcPort, mqttPort], [6, 5, 3]);
});

for (const [name, sources, message] of [
  ['a port that is no number', { env: { ESPALIER_HTTP_PORT: 'eighty' } }, /httpPort.*ESPALIER_HTTP_PORT/],
  ['a port that cannot be', { flags: { httpPort: '70000' } }, /httpPort.*command line/],
  ['a database of another kind', { env: { DATABASE_URL: 'mysql://x' } }, /databaseUrl.*postgres:/],
  ['a broker without TLS', { env: { MQTT_URL: 'mqtt://x' } }, /mqttUrl.*mqtts:/],
  ['a setting that does not exist', { file: file('htpPort: 1\n') }, /htpPort.*\.yaml/],
  ['a file that is no map', { file: file('- 1\n') }, /not a map/],
  ['a file that is not there', { file: '/nowhere/espalier.yaml' }, /no such file/],
] as const) {
  t.test(`${name} is refused by name`, async (t) => {
    t.throws(() => from(sources as Partial<ConfigSources>), { code: 'ESP_CONFIG_INVALID', message });
  });
}

for (const [host, publicHost, reachable] of [
  ['127.0.0.1', undefined, '127.0.0.1'],
  ['0.0.0.0', undefined, 'localhost'],
  ['0.0.0.0', 'espalier.example', 'espalier.example'],
] as const) {
  t.test(`listening on ${host}${publicHost ? ` as ${publicHost}` : ''} it gives out ${reachable}`, async (t) => {
    t.equal(from({ flags: { host, publicHost } }).reachableHost, reachable);
  });
}

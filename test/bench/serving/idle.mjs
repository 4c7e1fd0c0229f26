/** The agent's endpoints with nothing to serve: what it weighs by itself. Plain JavaScript: stripping types weighs too. */
import { silent } from '@espalier/agent/common/log';
import { AgentConfig } from '@espalier/agent/config';
import { openEndpoints } from '@espalier/agent/serve/endpoints';
import { makeMetrics } from '@espalier/agent/serve/metrics';
import { Serving } from '@espalier/agent/serve/serving';
import { endpointSettings, poolSettings } from '@espalier/agent/serve/settings';
import { SharedMemory } from '@espalier/agent/serve/shared-memory';

const config = AgentConfig.parse({ port: 0, grpcPort: 0 });
const serving = new Serving(poolSettings(config));
const parts = { serving, metrics: makeMetrics(serving, () => 0), memory: new SharedMemory(), log: silent };
const http = { ...parts, maxBodyBytes: config.maxBodyBytes, now: () => performance.now() };
const { port, grpcPort } = await openEndpoints(http, endpointSettings(config));
process.stdout.write(`at http://127.0.0.1:${port}\ngRPC at 127.0.0.1:${grpcPort}\n`);

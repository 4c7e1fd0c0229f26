import { defineError } from '@espalier/proto';

/** The devices' C library is too old for Node and ONNX Runtime. `found` is shell text: preinst fills it in. */
export const GlibcTooOld = defineError<{ found: string; floor: string }>(
  'ESP_GLIBC_TOO_OLD',
  400,
  ({ found, floor }) => `Node and ONNX Runtime need glibc ${floor} or newer, and this system has ${found}.`,
  () => 'Upgrade the system (Debian 10, Ubuntu 20.04, JetPack 5 or newer), or run the agent in a container.',
);

export const AgentNotBuilt = defineError<{ file: string }>(
  'ESP_AGENT_NOT_BUILT',
  400,
  ({ file }) => `The agent is not built: ${file} is missing.`,
  () => 'Run `npm run build` first.',
);

export const NodeUnavailable = defineError<{ name: string; reason: string }>(
  'ESP_NODE_UNAVAILABLE',
  502,
  ({ name, reason }) => `The Node binary of ${name} could not be fetched: ${reason}`,
  ({ name }) => `Check that the registry is reachable: \`npm view ${name}\`.`,
);

export const PackageToolMissing = defineError<{ tool: string }>(
  'ESP_PACKAGE_TOOL_MISSING',
  400,
  ({ tool }) => `Building a Debian package needs ${tool}, which is not in PATH.`,
  () => 'Install it: apt-get install dpkg.',
);

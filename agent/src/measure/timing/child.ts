/** Child process: times one network. What the network breaks, it breaks alone, and load ends it at once. */
import { type NetworkTask, timeNetwork } from './time-network.js';

process.once('message', (task: NetworkTask) => {
  try {
    const times = timeNetwork(task);
    process.send?.({ times }, () => process.exit(0));
  } catch (error) {
    process.send?.({ cause: (error as Error).message }, () => process.exit(1));
  }
});
process.once('disconnect', () => process.exit(1));

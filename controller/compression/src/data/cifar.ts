import type { Dataset } from './content.js';
import { openRecords } from './records.js';
import type { DataSpec } from './spec.js';

const SIDE = 32;
const AREA = SIDE * SIDE;
const CHANNELS = 3;

/** CIFAR-10 binary: one label byte, then the planes R, G and B [cs.toronto.edu/~kriz/cifar.html]. */
export const openCifar = (spec: DataSpec): Promise<Dataset> =>
  openRecords(spec, {
    contentBytes: CHANNELS * AREA,
    sampleShape: [SIDE, SIDE, CHANNELS],
    decode(planes) {
      const data = new Uint8Array(CHANNELS * AREA);
      for (let channel = 0; channel < CHANNELS; channel++) {
        for (let pixel = 0; pixel < AREA; pixel++) data[pixel * CHANNELS + channel] = planes[channel * AREA + pixel]!;
      }
      return { kind: 'image', pixels: { data, width: SIDE, height: SIDE, channels: CHANNELS } };
    },
  });

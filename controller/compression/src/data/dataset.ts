import { DataUnreadable } from '../errors.js';
import { openCifar } from './cifar.js';
import { openCoco } from './coco.js';
import type { Dataset } from './content.js';
import { openCsv } from './csv.js';
import { openIdx } from './idx.js';
import { openKws } from './kws.js';
import { openList } from './list.js';
import { openNpy } from './npy.js';
import { parseSpec } from './spec.js';

export type { Content, Dataset } from './content.js';

/** Opens the data a SPEC names. Throws ESP_DATA_SPEC_INVALID, ESP_DATA_UNREADABLE. */
export async function openDataset(text: string): Promise<Dataset> {
  const spec = parseSpec(text);
  const data = await (() => {
    switch (spec.kind) {
      case 'cifar10':
        return openCifar(spec);
      case 'idx':
        return openIdx(spec);
      case 'csv':
        return openCsv(spec);
      case 'coco':
        return openCoco(spec);
      case 'kws':
        return openKws(spec);
      case 'npy':
        return openNpy(spec);
      case 'list':
        return openList(spec, openDataset);
      case 'random':
        return randomData(text, Number(spec.target));
    }
  })();
  if (data.n === 0) throw DataUnreadable({ spec: text, file: spec.target, why: 'the SPEC takes none of its records' });
  return data;
}

const randomData = (spec: string, n: number): Dataset => ({
  spec,
  n,
  labelled: false,
  classes: null,
  sampleShape: [],
  labels: null,
  read: async () => ({ kind: 'random' }),
});

export interface DatasetDescription {
  readonly spec: string;
  readonly n: number;
  readonly labelled: boolean;
  readonly classes: number | null;
  readonly sampleShape: number[];
}

/** What a data set holds, without reading all of it. */
export async function describeDataset(text: string): Promise<DatasetDescription> {
  const { spec, n, labelled, classes, sampleShape } = await openDataset(text);
  return { spec, n, labelled, classes, sampleShape };
}

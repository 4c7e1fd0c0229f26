/** The models of the compression benchmark, and what is asked of their builds. */
export interface Row {
  /** Name of the file in the data pack, without its ending. */
  readonly model: string;
  /** What the peers' scripts call it. */
  readonly peerName: string;
  /** Most points of top-1 that may be lost, least dB of the logits, and how many times faster and smaller. */
  readonly bars: { readonly drop?: number; readonly sqnrDb?: number; readonly speedup: number; readonly size?: number };
  /** Which of the peers' methods stand beside it by default: "peer method". */
  readonly against: readonly string[];
}

export const rows: readonly Row[] = [
  {
    model: 'mobilenetv2-1.0-224',
    peerName: 'mobilenetv2',
    bars: { drop: 0.5, sqnrDb: 20, speedup: 2.2, size: 3.6 },
    against: ['ort percentile-u8s8-pc', 'quark u8s8-cle', 'nncf accurate', 'nncf default'],
  },
  {
    model: 'squeezenet1.1',
    peerName: 'squeezenet',
    bars: { drop: 0.17, sqnrDb: 32, speedup: 2.6, size: 3.6 },
    against: ['ort percentile-u8s8-pc', 'aimet default', 'nncf default'],
  },
  {
    model: 'cifar10-resnet20',
    peerName: 'resnet20',
    bars: { drop: 0, sqnrDb: 30, speedup: 2.15, size: 3.3 },
    against: ['ort percentile-u8s8-pc', 'ort minmax-u8s8-pc', 'aimet default'],
  },
  {
    model: 'cifar10-resnet56',
    peerName: 'resnet56',
    bars: { drop: 0, sqnrDb: 30, speedup: 2.26, size: 3.4 },
    against: ['ort percentile-u8s8-pc', 'ort minmax-u8s8-pc', 'aimet default'],
  },
  {
    model: 'mlperf-tiny-ic-resnet8',
    peerName: 'resnet8',
    bars: { drop: 0, sqnrDb: 31, speedup: 1.6, size: 3 },
    against: ['ort percentile-u8s8-pc', 'ort minmax-u8s8-pc', 'aimet default'],
  },
  {
    model: 'mlperf-tiny-kws-dscnn',
    peerName: 'dscnn',
    bars: { speedup: 1 },
    against: ['ort percentile-u8s8-pc', 'ort minmax-u8s8-pc', 'aimet default'],
  },
];

/** Bounds of every model: peak memory of the build, and its CPU time as a share of the peer nearest in accuracy. */
export const PEAK_RSS_MB_MAX = 400;
export const CPU_SHARE_MAX = 0.5;
/** Reading, simplifying and fusing MobileNetV2. */
export const GRAPH_WORK_MS_MAX = 300;

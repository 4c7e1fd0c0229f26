/** The models of ../shared/data with their data; calibration and evaluation never share a sample. */
interface BenchModel {
  readonly model: string;
  readonly data: 'cifar10' | 'nips17' | 'kws';
}

export const models: readonly BenchModel[] = [
  { model: 'cifar10-resnet20', data: 'cifar10' },
  { model: 'cifar10-resnet56', data: 'cifar10' },
  { model: 'mlperf-tiny-ic-resnet8', data: 'cifar10' },
  { model: 'mlperf-tiny-kws-dscnn', data: 'kws' },
  { model: 'mobilenetv2-1.0-224', data: 'nips17' },
  { model: 'mobilenetv2-12-int8.zoo', data: 'nips17' },
  { model: 'mobilenetv2-96-cifar10', data: 'cifar10' },
  { model: 'squeezenet1.1', data: 'nips17' },
];

/** Data SPECs below a data folder. */
export const specs = (folder: string): Record<BenchModel['data'], { calibrate: string; evaluate: string }> => ({
  cifar10: {
    calibrate: `cifar10:${folder}/cifar10/train_10k.bin.gz?to=200`,
    evaluate: `cifar10:${folder}/cifar10/test_5k.bin.gz`,
  },
  nips17: {
    calibrate: `csv:${folder}/nips17.csv?images=${folder}/nips17&to=200`,
    evaluate: `csv:${folder}/nips17.csv?images=${folder}/nips17&from=200`,
  },
  kws: {
    calibrate: `kws:${folder}/kws01_500.bin?every=5`,
    evaluate: `kws:${folder}/kws01_500.bin?not-every=5`,
  },
});

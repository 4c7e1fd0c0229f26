import { type DataSpec, parseSpec, selectRecords } from '@espalier/compression/data/spec';
import t from 'tap';

for (const [text, expected] of [
  ['cifar10:train.bin.gz?to=200', { kind: 'cifar10', target: 'train.bin.gz', from: 0, to: 200 }],
  ['csv:a.csv?images=dir&from=200', { kind: 'csv', target: 'a.csv', images: 'dir', from: 200 }],
  ['idx:a.gz,b.gz', { kind: 'idx', target: 'a.gz,b.gz' }],
  ['kws:k.bin?not-every=5', { kind: 'kws', notEvery: 5, every: null }],
  ['npy:folder', { kind: 'npy', target: 'folder' }],
  ['list:all.list?from=2', { kind: 'list', target: 'all.list', from: 2 }],
  ['random:64', { kind: 'random', target: '64' }],
] as [string, Partial<DataSpec>][]) {
  t.test(`${text} is understood`, async (t) => t.match(parseSpec(text), expected));
}

for (const [text, why] of [
  ['photos', /does not start/],
  ['jpeg:a', /does not start/],
  ['cifar10:', /nothing stands/],
  ['idx:only-one', /two files/],
  ['random:many', /takes a count/],
  ['random:0', /takes a count/],
  ['cifar10:a?limit=3', /no option limit/],
  ['cifar10:a?to=x', /whole number/],
  ['cifar10:a?every=0', /whole number/],
  ['cifar10:a?not-every=1', /whole number/],
  ['cifar10:a?from=5&to=5', /not below/],
  ['cifar10:a?every=2&not-every=2', /exclude/],
  ['kws:a?images=b', /belongs to csv/],
] as const) {
  t.test(`${text} is refused with its reason`, async (t) => {
    t.throws(() => parseSpec(text), { code: 'ESP_DATA_SPEC_INVALID', message: why });
  });
}

t.test('every and not-every split the records without overlap or gap', async (t) => {
  const every = selectRecords(parseSpec('kws:a?every=5'), 23);
  const others = selectRecords(parseSpec('kws:a?not-every=5'), 23);
  t.strictSame(every, [0, 5, 10, 15, 20]);
  t.strictSame(
    [...every, ...others].sort((a, b) => a - b),
    Array.from({ length: 23 }, (_, at) => at),
  );
});

t.test('a range is half open and ends with the file', async (t) => {
  t.strictSame(selectRecords(parseSpec('kws:a?from=1&to=3'), 9), [1, 2]);
  t.strictSame(selectRecords(parseSpec('kws:a?from=7&to=99'), 9), [7, 8]);
});

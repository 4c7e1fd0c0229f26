/** Tables that no device measured: read as the tools write them, shown as what they are, and deciding nothing. */
import { buildVariant, inspectModel, loadProfiles, profileById } from '@espalier/compression';
import { isMeasured, LatencyTable } from '@espalier/proto';
import { ImportTable } from '@espalier/proto/api';
import { nextProposal } from '@espalier/server/reoptimize/next-proposal';
import { TableReader } from '@espalier/server/reoptimize/table-reader';
import { readAiHub } from '@espalier/server/timing/import/ai-hub';
import { readRknn } from '@espalier/server/timing/import/rknn';
import { rowsOfLayers, rowsOfRoof } from '@espalier/server/timing/import/to-table';
import { readVela } from '@espalier/server/timing/import/vela';
import t from 'tap';
import { input, int8, NOW, variant } from '../reoptimize/loop-inputs.ts';
import { openWork, SAMPLE, scratchFolder } from '../support/work.ts';

const work = await openWork(scratchFolder(t));
t.teardown(() => work.database.close());
const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { name: 'imported' });
const PROFILE = 'x64-avx2';

// As the tools write them, cut to three layers and renamed to the operators of one small network.
const VELA = `TFLite_operator,NNG Operator,SRAM Usage,Peak%,Op Cycles,Network%,NPU,SRAM AC,DRAM AC,OnFlash AC,OffFlash AC,MAC Count,Network%,Util%,Name
CONV_2D,Conv2DBias,24576,30.5,40000,50.0,38000,12000,0,9000,0,1000000,50.0,9.7,"net/conv1;bias,1"
DEPTHWISE_CONV_2D,DepthwiseConv2DBias,16384,20.3,20000,25.0,20000,9000,0,3000,0,300000,15.0,5.8,net/dw2
CONV_2D,Conv2DBias,16384,20.3,20000,25.0,18000,9000,0,3000,0,700000,35.0,13.6,net/conv3
`;
const RKNN = `D RKNN: [05:07:06.566] ------------------------------------------------------------
D RKNN: [05:07:06.566]                         Network Layer Information Table
D RKNN: [05:07:06.566] ID   OpType             DataType Target InputShape                     OutputShape       Cycles(DDR/NPU/Total)    Time(us)     MacUsage(%)          WorkLoad(0/1/2)      RW(KB)       FullName
D RKNN: [05:07:06.566] ------------------------------------------------------------
D RKNN: [05:07:06.566] 1    InputOperator      INT8     CPU    \\                              (1,3,96,96)       0/0/0                    6            \\                    0.0%/0.0%/0.0%       0            InputOperator:image
D RKNN: [05:07:06.566] 2    ConvRelu           INT8     NPU    (1,3,96,96),(16,3,3,3),(16)    (1,16,48,48)      12345/6789/12345         80           12.50/0.00/0.00      100.0%/0.0%/0.0%     64           Conv:conv1
D RKNN: [05:07:06.566] 3    ConvRelu           INT8     NPU    (1,16,48,48),(1,16,3,3),(16)   (1,16,48,48)      1234/678/1234            40           2.50/0.00/0.00       100.0%/0.0%/0.0%     73           Conv:dw2
D RKNN: [05:07:06.566] 4    Conv               INT8     NPU    (1,16,48,48),(32,16,1,1),(32)  (1,32,48,48)      2345/678/2345            60.5         9.50/0.00/0.00       100.0%/0.0%/0.0%     110          Conv:conv3
D RKNN: [05:07:06.566] ------------------------------------------------------------
D RKNN: [05:07:06.566] Total Operator Elapsed Per Frame Time(us): 186.5
`;
const AI_HUB = JSON.stringify({
  execution_summary: {
    estimated_inference_time: 417,
    estimated_inference_peak_memory: 1000,
    all_inference_times: [417],
  },
  execution_detail: [
    { name: 'conv1', type: 'Conv', compute_unit: 'NPU', execution_time: 200, execution_cycles: 400000 },
    { name: 'dw2', type: 'Conv', compute_unit: 'NPU', execution_time: 90, execution_cycles: 180000 },
    { name: 'conv3', type: 'Conv', compute_unit: 'NPU', execution_time: 110, execution_cycles: 220000 },
  ],
});
const works = {
  conv1: { op: 'Conv', work: 1_000_000 },
  dw2: { op: 'Conv', work: 300_000 },
  conv3: { op: 'Conv', work: 700_000 },
  relu: { op: 'Relu', work: 10_000 },
};

t.test('the output of each tool becomes rows of the operators, with their origin', async (t) => {
  for (const [name, layers, us, anchorUs, unmatched] of [
    ['Vela, at 500 MHz', readVela(VELA, 500), [80, 40, 40], 160, []],
    ['RKNN', readRknn(RKNN), [80, 40, 60.5], 186.5, ['image']],
    ['AI Hub', readAiHub(AI_HUB), [200, 90, 110], 417, []],
  ] as const) {
    const found = rowsOfLayers(layers, works);
    t.strictSame(
      found.rows.map(({ node, points }) => [node, points[0]!.us]),
      ['conv1', 'dw2', 'conv3'].map((node, at) => [node, us[at]]),
      name,
    );
    t.strictSame([found.anchorUs, found.unmatched], [anchorUs, unmatched], name);
    t.ok(found.rows.every(({ origin }) => origin === 'compiler'));
    t.equal(found.rows[0]!.usPerWork, us[0] / 1e6, 'one width is known: all of it grows with the work');
  }
});

t.test('a roof: multiply-accumulates over the rate, bytes over the bandwidth, a start each', async (t) => {
  const { rows, anchorUs } = rowsOfRoof({ gigaMacsPerS: 100, gigaBytesPerS: 10, startUs: 2 }, works);
  t.strictSame(
    rows.map(({ points }) => points[0]!.us),
    [12, 5, 9, 3],
  );
  t.equal(anchorUs, 29);
  t.ok(rows.every(({ origin }) => origin === 'roofline'));
});

t.test('what is something else is refused, with what is missing', async (t) => {
  for (const [read, why] of [
    [() => readVela('experiment,network\na,b', 500), /no columns Name and Op Cycles/],
    [() => readVela(VELA, null), /no clock/],
    [() => readVela('Name,Op Cycles\nx,abc', 500), /no layer has a time/],
    [() => readRknn('Layer ID    Name   Operator   Uid   Time(us)'), /no line with ID, OpType/],
    [() => readAiHub('{"execution_summary": {}}'), /execution_summary\.estimated_inference_time/],
    [() => readAiHub('nothing'), /not valid JSON|Unexpected/],
    [() => rowsOfLayers(readAiHub(AI_HUB), { other: { op: 'Conv', work: 1 } }), /0% of its time .*conv1/],
  ] as const)
    t.throws(read, { code: 'ESP_LAYERS_UNREADABLE', message: why });
});

t.test('an imported table is shown as not measured, plans pruned builds, and is no table to the loop', async (t) => {
  const roof = { format: 'roofline', gigaMacsPerS: 50, gigaBytesPerS: 5, startUs: 1 };
  await work.importer.take(model.id, ImportTable.parse({ ...roof, profile: PROFILE }), 'ann');
  const [view] = await work.tables.views(model.id);
  t.match(view, { profile: PROFILE, state: 'imported', reason: /roofline, given by ann: no device measured it/ });
  t.ok(view!.table!.rows.length > 10);
  const table = (await work.tables.of(model.id, PROFILE, 'pruned-int8'))!;
  t.notOk(isMeasured(LatencyTable.parse(table)));
  t.equal(await work.tables.of(model.id, PROFILE, 'int8'), null);
  const read = await new TableReader(work.tables).read(model.id, PROFILE);
  t.match(read, { state: 'absent', narrowestUs: null }, 'the loop sees none');
  const spent = [variant(), int8({ state: 'ready', accuracyDrop: 3 })];
  const history = [{ action: 'rejected' as const, recipe: 'int8', variantId: 'v-int8', atMs: NOW - 1000 }];
  const proposal = nextProposal(input({ variants: spent, history, table: read }), NOW);
  t.match(proposal, { kind: 'measure', reason: /there is no latency table yet/ }, 'so it asks devices to measure');
});

t.test('a build along it predicts nothing that a rollout could rest on, and its note says why', async (t) => {
  const table = (await work.tables.of(model.id, PROFILE, 'pruned-int8'))!;
  const { preprocess } = await inspectModel(`${SAMPLE}/fashion-ds.onnx`);
  const idx = (set: string): string =>
    `idx:${SAMPLE}/${set}-subset-images-idx3-ubyte.gz,${SAMPLE}/${set}-subset-labels-idx1-ubyte.gz`;
  const built = await buildVariant({
    ...{
      modelPath: `${SAMPLE}/fashion-ds.onnx`,
      modelName: 'net',
      recipe: 'pruned-int8',
      preprocess,
      minutes: 0,
      table,
    },
    ...{ profile: profileById(PROFILE, await loadProfiles()), maxDrop: 3, outDir: t.testdir() },
    ...{ calibrate: `${idx('train')}?to=450`, evaluate: `${idx('test')}?to=100` },
  });
  t.equal(built.predictedUs, null);
  t.equal(built.kept, 'pruned-int8');
  t.ok(
    built.report.notes.some((note) => /along a latency table from a roofline, which no device measured/.test(note)),
    built.report.notes.join('\n'),
  );
});

/**
 * The web app in a real Chromium against a real controller and a real agent: enrolment from the dialog, the six clicks
 * from a dropped file to a device that serves it, and every page in light, dark and on a phone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DatasetRow, DeviceRow, DeviceView, Page as ListPage, RolloutRow, VariantRow } from '@espalier/proto/api';
import type { Browser, BrowserContextOptions, Locator } from 'playwright-core';
import t, { type Test } from 'tap';
import { type Running, root, until } from '../support/process.ts';
import { ask, sampleImages } from '../support/sampled-device.ts';
import { seriousViolations } from './support/axe.ts';
import { openBrowser, openPage, type Visit } from './support/browser.ts';
import { type Controller, runAgent, startController } from './support/controller.ts';
import { dropFiles } from './support/drop.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-ui-'));
const sample = (file: string): string => path.join(root, 'deploy', 'sample', file);
const LONG_MS = 90_000;

/** What the steps hand on to each other. */
interface Stage {
  readonly browser: Browser;
  readonly controller: Controller;
  readonly visit: Visit;
  agent: Running | null;
}

/** GET of the public API with the session of the page. */
async function get<T>({ visit, controller }: Stage, route: string): Promise<T> {
  const response = await visit.page.request.get(`${controller.url}/api/v1${route}`);
  if (!response.ok()) throw new Error(`GET ${route}: ${response.status()} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Works a control by keyboard alone: what can be clicked must be reachable without a mouse. */
async function press({ visit: { page } }: Stage, control: Locator, key = 'Enter'): Promise<void> {
  await control.focus();
  await page.keyboard.press(key);
}

async function enrolFromDialog(t: Test, stage: Stage): Promise<void> {
  const { page } = stage.visit;
  await page.goto(stage.controller.link);
  await page.getByRole('heading', { name: 'Fleet', exact: true }).waitFor();
  t.notMatch(page.url(), /link=/, 'the link does not stay in the address');
  await page.getByRole('link', { name: 'Enrol a device' }).click();
  await page.getByRole('button', { name: 'Make the command' }).click();
  const command = await page.getByRole('dialog').locator('code').first().textContent();
  stage.agent = await runAgent(command ?? '', path.join(scratch, 'agent'));
  await page.getByText('The device has enrolled.').waitFor({ timeout: LONG_MS });
  await page.getByRole('button', { name: 'Open the device' }).click();
  await page.getByText('Why this profile').waitFor();
  t.match(page.url(), /\/devices\/.+/, 'and the dialog leads to it');
}

async function registerSampleData({ visit, controller }: Stage): Promise<DatasetRow> {
  const pair = (part: string) =>
    `idx:${sample(`${part}-subset-images-idx3-ubyte.gz`)},${sample(`${part}-subset-labels-idx1-ubyte.gz`)}`;
  const data = { name: 'fashion', calibrate: `${pair('train')}?to=400`, evaluate: `${pair('test')}?to=400` };
  const response = await visit.page.request.post(`${controller.url}/api/v1/datasets`, { data });
  if (!response.ok()) throw new Error(`POST /datasets: ${response.status()} ${await response.text()}`);
  return (await response.json()) as DatasetRow;
}

async function sixClicks(t: Test, stage: Stage): Promise<void> {
  const { page } = stage.visit;
  await registerSampleData(stage);
  await press(stage, page.getByRole('link', { name: 'Models' }).first());
  const files = ['fashion-ds.onnx', 'fashion-ds.preprocess.json', 'labels.txt'].map(sample);
  await dropFiles(page, 'Drop an ONNX file', files);
  await page.getByRole('heading', { name: /^fashion-ds/ }).waitFor();
  t.pass('1: the dropped files are a model');
  await press(stage, page.getByRole('radio', { name: /^fashion / }), 'Space');
  const optimize = page.getByRole('button', { name: 'Optimize for my fleet', disabled: false });
  await optimize.waitFor();
  await press(stage, optimize);
  t.pass('2 and 3: data picked, builds asked for');
  const variants = await until(
    'both builds are ready',
    async () => {
      const rows = await get<VariantRow[]>(stage, '/variants');
      return rows.length >= 2 && rows.every((row) => row.state === 'ready') ? rows : null;
    },
    LONG_MS,
  );
  t.ok(
    variants.some((row) => row.method === 'int8'),
    'int8 is among them',
  );
  const rollOut = page.getByRole('button', { name: 'Roll out', disabled: false });
  await rollOut.waitFor();
  await press(stage, rollOut);
  await page.getByLabel('Soak').first().waitFor();
  for (const soak of await page.getByLabel('Soak').all()) await soak.fill('0');
  await press(stage, page.getByRole('button', { name: 'Start', disabled: false }));
  t.pass('4, 5 and 6: the plan is filled in and started');
  await page.waitForURL(/\/rollouts\/(?!new)/);
  await page.getByRole('region', { name: 'State' }).getByText('finished').waitFor({ timeout: LONG_MS });
  const { items } = await get<ListPage<RolloutRow>>(stage, '/rollouts');
  t.equal(items[0]?.state, 'FINISHED', 'the rollout finished while its page was watched, without a reload');
}

async function deviceServes(t: Test, stage: Stage): Promise<void> {
  const { items } = await get<ListPage<DeviceRow>>(stage, '/devices');
  t.equal(items[0]?.serving?.model, 'fashion-ds', 'the device serves the model');
  await stage.visit.page.goto(`${stage.controller.url}/devices/${items[0]?.id}`);
  await stage.visit.page.getByRole('img', { name: /measuring windows/ }).waitFor({ timeout: LONG_MS });
  t.pass('and its latency is drawn');
  const endpoint = await stage.visit.page.getByText(/^http:\/\/127/).textContent();
  t.equal((await fetch(`${endpoint}/v2/health/ready`)).status, 200, 'its inference address answers');
}

/** Off by default; switched on by a person, a card comes for what the model was unsure of, and a click labels it. */
async function samplesAreLabelled(t: Test, stage: Stage): Promise<void> {
  const { page } = stage.visit;
  const { items } = await get<ListPage<DeviceRow>>(stage, '/devices');
  const { endpoint } = await get<DeviceView>(stage, `/devices/${items[0]?.id}`);
  await page.goto(`${stage.controller.url}/models/${(await get<VariantRow[]>(stage, '/variants'))[0]?.modelId}`);
  const region = page.getByRole('region', { name: 'Samples for labelling' });
  await region.getByText('Off: devices keep no input').waitFor();
  await press(stage, region.getByText('Change what devices may keep'));
  await press(stage, region.getByRole('switch'), 'Space');
  await region.getByLabel('Model less sure than').fill('70');
  await press(stage, region.getByRole('button', { name: 'Save' }));
  await region.getByText('On: 1 device may keep inputs').waitFor();
  await until('the device was told', async () => (stage.agent?.output().includes('are sampled') ? true : null));
  await ask(endpoint!, sampleImages(100));
  await region.getByRole('listitem').first().waitFor({ timeout: LONG_MS });
  const picture = region.getByRole('img').first();
  const width = await picture.evaluate(async (image) => {
    await (image as HTMLImageElement).decode();
    return (image as HTMLImageElement).naturalWidth;
  });
  t.equal(width, 28, 'the picture is shown');
  await press(stage, region.getByRole('button', { name: 'Pullover' }).first());
  await region.getByText('Labelled (1)').waitFor();
  await press(stage, region.getByRole('button', { name: /^Make evaluation data of 1/ }));
  await press(stage, region.getByRole('button', { name: 'Use it for builds' }));
  await page.getByText('(1 from the field)').waitFor();
  t.pass('labelled and used, by keyboard');
}

const modes: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['on a phone', { viewport: { width: 375, height: 800 } }],
];

/** Paths of every page, with the ids of what the steps before made. */
async function everyPath(stage: Stage): Promise<string[]> {
  const id = (row: { id: string } | undefined) => row?.id ?? 'none';
  const [device, rollout, job] = await Promise.all(
    ['/devices', '/rollouts', '/jobs'].map(async (route) =>
      id((await get<ListPage<{ id: string }>>(stage, route)).items[0]),
    ),
  );
  const variants = await get<VariantRow[]>(stage, '/variants');
  const variant = variants.find((row) => row.method === 'int8');
  return [
    ...['/', '/devices', `/devices/${device}`, '/models', `/models/${variant?.modelId}`, `/variants/${id(variant)}`],
    ...[
      '/rollouts',
      `/rollouts/new?model=${variant?.modelId}`,
      `/rollouts/${rollout}`,
      '/optimizations',
      `/jobs/${job}`,
    ],
    ...['/profiles', `/profiles/${variant?.profile}`, '/settings', '/no-such-page'],
  ];
}

async function everyPage(t: Test, stage: Stage, options: BrowserContextOptions): Promise<void> {
  const storageState = await stage.visit.page.context().storageState();
  const visit = await openPage(stage.browser, { ...options, storageState });
  t.teardown(() => visit.close());
  for (const route of await everyPath(stage)) {
    await visit.page.goto(stage.controller.url + route);
    await visit.page.locator('h1').waitFor();
    await visit.page.waitForFunction(() => !document.querySelector('.mantine-Skeleton-root'));
    // The heading may stand before the content that is read behind it.
    const isFilled = () => (document.querySelector('main')?.textContent?.length ?? 0) > 20;
    const shown = await visit.page.waitForFunction(isFilled).then(
      () => true,
      () => false,
    );
    t.ok(shown, `${route} shows something`);
    t.strictSame(visit.take(), [], `${route}: the console is silent`);
    t.strictSame(await seriousViolations(visit.page), [], `${route}: nothing serious for axe`);
    const over = await visit.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    t.ok(over <= 0, `${route} does not scroll sideways`);
  }
}

async function main(): Promise<void> {
  const browser = await openBrowser();
  if (!browser) {
    t.comment('skipped: no Chromium is installed (apt-get install chromium)');
    return;
  }
  const controller = await startController(path.join(scratch, 'controller'));
  const stage: Stage = { browser, controller, visit: await openPage(browser), agent: null };
  t.teardown(async () => {
    await browser.close();
    await stage.agent?.stop();
    await controller.running.stop();
    rmSync(scratch, { recursive: true, force: true });
  });
  await t.test('a device enrols with the command of the dialog', (t) => enrolFromDialog(t, stage));
  await t.test('six clicks, by keyboard after the drop, from a file to a finished rollout', (t) => sixClicks(t, stage));
  await t.test('the device serves it', (t) => deviceServes(t, stage));
  await t.test('what it was unsure of is labelled', (t) => samplesAreLabelled(t, stage));
  for (const [name, options] of modes) {
    await t.test(`every page, ${name}`, (t) => everyPage(t, stage, options));
  }
}

await main();

/** A real Chromium, when one is installed; its pages remember what they complained about. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Nothing of the browser's own may reach for the network, nor need a display or a sandbox of the kernel's. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser, or null where none is installed. */
export async function openBrowser(): Promise<Browser | null> {
  const executablePath = candidates.find((file) => file && existsSync(file));
  return executablePath ? chromium.launch({ executablePath, args: flags }) : null;
}

export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the console, and errors no code caught, since the last `take`. */
  take(): string[];
  close(): Promise<void>;
}

/** A page in a context of its own. Motion is reduced, so that a screenshot or a contrast is not half-way. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    reducedMotion: 'reduce',
    locale: 'en-GB',
    ...options,
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  let complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  const take = () => {
    const taken = complaints;
    complaints = [];
    return taken;
  };
  return { page, take, close: () => context.close() };
}

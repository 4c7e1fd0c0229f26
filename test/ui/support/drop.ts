/** Files dropped on the page at once, as from a file manager: the browser gets their names and bytes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';

export async function dropFiles(page: Page, label: string, files: readonly string[]): Promise<void> {
  const contents = files.map((file) => ({ name: path.basename(file), base64: readFileSync(file).toString('base64') }));
  const transfer = await page.evaluateHandle((dropped) => {
    const data = new DataTransfer();
    for (const { name, base64 } of dropped) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      data.items.add(new File([bytes], name, { type: 'application/octet-stream' }));
    }
    return data;
  }, contents);
  await page.getByRole('region', { name: label }).dispatchEvent('drop', { dataTransfer: transfer });
}

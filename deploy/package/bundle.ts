import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { AgentNotBuilt } from './errors.ts';

/** A file that is found beside the running one: `new URL('./worker.js', import.meta.url)`. */
const SIBLING = /new URL\(\s*['"](\.{1,2}\/[^'"]+)['"]\s*,\s*import\.meta\.url\s*\)/g;

/** ESM output has no `require`, and dependencies that were CommonJS call it. */
const banner = `import { createRequire as espalierCreateRequire } from 'node:module';
const require = espalierCreateRequire(import.meta.url);`;

/**
 * Bundles the agent into a flat folder: main.js, an entry for every worker and child process that the sources start
 * by URL, and the chunks they share. Native code stays outside; of it, sharp is optional and not packed.
 * @param agent the agent's folder, built
 * @throws ESP_AGENT_NOT_BUILT
 */
export async function bundleAgent(agent: string, outdir: string): Promise<void> {
  const dist = path.join(agent, 'dist');
  const main = path.join(dist, 'main.js');
  if (!existsSync(main)) throw AgentNotBuilt({ file: main });
  const names = entries(dist);
  await build({
    entryPoints: Object.fromEntries([['main', main], ...[...names].map(([file, name]) => [name, file])]),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Not minified: a stack in a device's journal should show lines that a person can read.
    minifySyntax: true,
    treeShaking: true,
    legalComments: 'none',
    external: ['onnxruntime-node', 'sharp'],
    banner: { js: banner },
    plugins: [flatten(agent, names)],
    logLevel: 'warning',
  });
}

/** Entry file to its name in the flat folder; the folder is part of the name, so two of one name do not meet. */
function entries(dist: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.js')) continue;
    const from = path.join(dist, file);
    for (const [, sibling] of readFileSync(from, 'utf8').matchAll(SIBLING)) {
      const target = path.resolve(path.dirname(from), sibling!);
      if (target.endsWith('.js') && target.startsWith(dist + path.sep) && existsSync(target)) {
        found.set(target, path.relative(dist, target).slice(0, -'.js'.length).replaceAll(path.sep, '-'));
      }
    }
  }
  return found;
}

/** Points every sibling URL to where the flat layout has the file: a bundle sits in `dist/`, whatever it came from. */
function flatten(agent: string, names: ReadonlyMap<string, string>): Plugin {
  const dist = path.join(agent, 'dist');
  return {
    name: 'flatten',
    setup(build) {
      build.onLoad({ filter: /\.js$/ }, ({ path: file }) => {
        if (!file.startsWith(dist + path.sep)) return undefined;
        const contents = readFileSync(file, 'utf8').replace(SIBLING, (_whole, sibling: string) => {
          const target = path.resolve(path.dirname(file), sibling);
          const name = names.get(target);
          const moved = name ? `./${name}.js` : path.relative(dist, target).replaceAll(path.sep, '/');
          return `new URL(${JSON.stringify(moved)}, import.meta.url)`;
        });
        return { contents, loader: 'js' };
      });
    },
  };
}

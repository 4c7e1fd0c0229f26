import { Command } from 'commander';
import { ProfileUnmatched } from '../errors.js';
import { loadProfiles, profileById } from '../hardware/load.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { matchProfile, unservedProfiles } from '../hardware/match.js';
import { profilesOption } from './quantize.js';
import { alignColumns, type Terminal } from './terminal.js';

interface Flags {
  readonly profiles: string[];
  readonly json?: boolean;
}

const subcommand = (name: string, description: string): Command =>
  new Command(name).description(description).addOption(profilesOption()).option('--json', 'print JSON lines');

export const profilesCommand = (terminal: Terminal): Command =>
  new Command('profiles')
    .description('The hardware profiles: what each kind of device wants from a model.')
    .addCommand(
      subcommand('list', 'List all profiles.').action(async (flags: Flags) => {
        const profiles = await loadProfiles(flags.profiles);
        const lines = profiles.map(({ id, title, precisions, extends: parent }) => ({
          id,
          title,
          precisions,
          extends: parent,
        }));
        if (flags.json) for (const line of lines) terminal.out(`${JSON.stringify(line)}\n`);
        else terminal.out(alignColumns(lines.map(({ id, title, precisions }) => [id, title, precisions.join(', ')])));
      }),
    )
    .addCommand(
      subcommand('show', 'Show one profile whole, with the evidence for its facts.')
        .argument('<id>')
        .action(async (id: string, flags: Flags) => {
          const profile = profileById(id, await loadProfiles(flags.profiles));
          terminal.out(`${JSON.stringify(profile, null, flags.json ? 0 : 2)}\n`);
        }),
    )
    .addCommand(
      subcommand('match', 'Say which profile fits this machine, and by which facts.').action(async (flags: Flags) => {
        const facts = await readLocalFacts();
        const profiles = await loadProfiles(flags.profiles);
        const match = matchProfile(facts, profiles);
        if (!match) throw ProfileUnmatched({ arch: facts.arch });
        const { profile, matched } = match;
        const waiting = unservedProfiles(facts, profiles).map(({ profile: { id }, runtime }) => ({ id, runtime }));
        const line = { profile: profile.id, matched, cpu: facts.cpuModel, waiting };
        const others = waiting.map(({ id, runtime }) => `With a ${runtime} runtime: ${id}\n`).join('');
        terminal.out(flags.json ? `${JSON.stringify(line)}\n` : `${profile.id} (${matched.join(', ')})\n${others}`);
      }),
    );

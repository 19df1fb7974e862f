import { describe, expect, test } from 'vitest';
import { helpFor, overview } from '../../../src/core/language/help.ts';
import { COMMANDS, commandSet } from './fixtures.ts';

const help = (name: string): string => {
  const found = commandSet.find(name);
  if (!found) throw new Error(name);
  return helpFor(found);
};

describe('help', () => {
  test('says everything about a command', () => {
    expect(help('task.create')).toBe(
      [
        'task create TITLE [--description TEXT] [--priority P0|P1|P2] [--owner NAME] [--labels TEXT…] [--depends-on ID…] [--due DATE]',
        'Opens a task.',
        '',
        '  TITLE          What has to be done; text; required.',
        '  --description  Everything else; text.',
        '  --priority     How urgent it is; P0 | P1 | P2; P1 unless given.',
        '  --owner        Who does it; a name.',
        '  --labels       Labels; text, as often as needed.',
        '  --depends-on   Tasks that come first; an id, as often as needed.',
        '  --due          Until when; a date such as friday or 2026-11-20.',
        '',
        'Example:',
        '  task create "Fix login" --priority P0 --owner @ana',
        '  in plain words: please open an urgent task for Ana to fix login',
      ].join('\n'),
    );
  });

  test('shows lists, durations, flags of a runbook and aliases', () => {
    expect(help('task.check')).toContain('task check ID [ITEMS…]');
    expect(help('probe.run')).toContain('a duration such as 30s, 5m, 2h, 1d; 30s unless given.');
    expect(help('probe.run')).toContain('[--dry-run]');
    expect(help('job.run')).toContain('job run RUNBOOK [--after DATE] [--NAME VALUE…]');
    expect(help('approval.approve')).toContain('Also: approve');
    expect(help('status')).toBe('status\nSays status.\n\nExample:\n  status');
  });

  test('an overview groups by noun', () => {
    expect(overview(COMMANDS)).toBe(
      [
        'task      create, list, show, move, assign, check, edit',
        'job       run, list, dead list, purge',
        'probe     run',
        'approval  approve',
        '          help, status, whoami, yes, no',
      ].join('\n'),
    );
  });

  test('an overview of one noun has the summaries', () => {
    expect(overview(COMMANDS.filter((c) => c.name.startsWith('probe.')))).toBe('probe run  Runs a probe.');
    expect(overview([])).toBe('');
  });
});

import type { z } from 'zod';
import type { CatalogPrincipal } from '../domain/catalog.ts';
import type { Report } from './problem.ts';
import type { principal } from './shape.ts';
import { suggest } from './suggest.ts';

type Entry = z.output<typeof principal>;
type Identity = CatalogPrincipal['identities'][number];

/** What a subject looks like on the channels whose form is known; others take any single word. */
const SUBJECTS: Readonly<Record<string, { readonly form: RegExp; readonly example: string }>> = {
  slack: { form: /^[TE][A-Z0-9]+\/[UW][A-Z0-9]+$/, example: 'slack:T0123/U0456 (team/user)' },
  email: { form: /^[^\s@"<>]+@[^\s@"<>]+$/, example: 'email:ana@example.test' },
  github: { form: /^\d+$/, example: 'github:583231 (the numeric id: a login can be renamed and taken over)' },
  gitlab: { form: /^\d+$/, example: 'gitlab:4711 (the numeric id)' },
};
/** Channels that Signalbox proves by itself; an entry for one would hand its holder somebody else's proof. */
const OURS = new Set(['key', 'principal', 'source', 'terminal']);
/** Names that the journal and the approval rules use for something else. */
const RESERVED = new Set(['system', 'me', 'anybody', 'anonymous']);

/** People and agents, their roles and identities checked; `roles` are those that exist. */
export function compilePrincipals(
  sections: { readonly people: ReadonlyMap<string, Entry>; readonly agents: ReadonlyMap<string, Entry> },
  roles: ReadonlySet<string>,
  report: Report,
): CatalogPrincipal[] {
  const claimed = new Map<string, string>();
  const compiled: CatalogPrincipal[] = [];
  for (const [section, kind] of [
    ['people', 'person'],
    ['agents', 'agent'],
  ] as const) {
    for (const [name, entry] of sections[section]) {
      const path = [section, name];
      if (RESERVED.has(name)) report('SBX006', path, `"${name}" is a reserved name.`, 'Choose another name.');
      if (section === 'agents' && sections.people.has(name))
        report('SBX010', path, `"${name}" is both a person and an agent.`, 'Give one of them another name.');
      checkRoles(entry.roles, roles, path, report);
      const identities = entry.identities.flatMap((written, index) => {
        const identity = readIdentity(written, [...path, 'identities', index], report);
        return identity && isUnclaimed(identity, name, claimed, [...path, 'identities', index], report)
          ? [identity]
          : [];
      });
      compiled.push({
        name,
        kind,
        display: entry.display ?? name,
        roles: [...new Set(entry.roles)],
        identities,
      });
    }
  }
  return compiled;
}

function checkRoles(
  names: readonly string[],
  known: ReadonlySet<string>,
  path: readonly string[],
  report: Report,
) {
  names.forEach((name, index) => {
    if (known.has(name)) return;
    const mend = suggest(name, known, `Define it under roles, or use one of: ${[...known].join(', ')}.`);
    report('SBX008', [...path, 'roles', index], `${path.join('.')}: there is no role "${name}".`, mend);
  });
}

function readIdentity(written: string, path: readonly PropertyKey[], report: Report): Identity | undefined {
  const [, channel, subject] = /^([a-z][a-z0-9-]*):(\S+)$/.exec(written) ?? [];
  if (channel === undefined || subject === undefined || OURS.has(channel)) {
    report(
      'SBX009',
      path,
      `"${written}" is not an identity.`,
      'Write channel:subject, such as email:ana@example.test.',
    );
    return undefined;
  }
  const known = SUBJECTS[channel];
  if (known && !known.form.test(subject)) {
    report('SBX009', path, `"${written}" is not what ${channel} proves.`, `Write it as ${known.example}.`);
    return undefined;
  }
  // Mail addresses are compared in lower case, as the sender proof gives them.
  return { channel, subject: channel === 'email' ? subject.toLowerCase() : subject };
}

function isUnclaimed(
  { channel, subject }: Identity,
  name: string,
  claimed: Map<string, string>,
  path: readonly PropertyKey[],
  report: Report,
): boolean {
  const key = `${channel}:${subject}`;
  const holder = claimed.get(key);
  if (holder === undefined) claimed.set(key, name);
  else
    report(
      'SBX009',
      path,
      `${key} already belongs to ${holder}.`,
      'An identity proves one principal; remove one.',
    );
  return holder === undefined;
}

import type { ApprovalPolicy } from '../domain/approval.ts';
import type { Catalog, CatalogPrincipal, CatalogRole } from '../domain/catalog.ts';
import { permits, type Permission } from '../domain/permission.ts';
import type { Runbook } from '../domain/runbook.ts';
import type { Report } from './problem.ts';

export interface Staff {
  readonly roles: readonly CatalogRole[];
  readonly principals: readonly CatalogPrincipal[];
}

/**
 * Checks that those who are to agree exist, and that enough of them do even when one of them is the requester, who
 * never votes. Where a role decides, commands can add people to it later, so too few of them are only worth a note
 * (`approverNotes`).
 */
export function checkApproval(
  policy: ApprovalPolicy,
  permission: string | undefined,
  staff: Staff,
  path: readonly string[],
  report: Report,
): void {
  const where = path.join('.');
  if (policy.quorum < 1)
    report(
      'SBX012',
      [...path, 'quorum'],
      `${where}: a quorum of 0 approves by itself.`,
      'Ask for at least one person.',
    );
  if (policy.roles.length + policy.persons.length === 0)
    report('SBX013', path, `${where} names nobody.`, 'Name approvers under roles or persons.');
  checkNames(policy, staff, path, report);
  if (policy.roles.length > 0) return;
  const eligible = staff.principals.filter((one) => isNamed(policy, one));
  const left = eligible.length - (eligible.some((person) => mayAsk(person, permission, staff.roles)) ? 1 : 0);
  if (left >= policy.quorum) return;
  const message = `${where} needs ${people(policy.quorum)} to agree; when one of those it names asks, ${left === 0 ? 'nobody is' : `only ${left} are`} left who can.`;
  report('SBX014', [...path, 'quorum'], message, 'Name more people, name a role, or lower the quorum.');
}

/** What a policy says of somebody; also a row of the database fits. */
type Somebody = Pick<CatalogPrincipal, 'name' | 'roles'> & { readonly kind: string };

const isNamed = ({ persons, roles }: ApprovalPolicy, one: Somebody): boolean =>
  one.kind === 'person' && (persons.includes(one.name) || one.roles.some((role) => roles.includes(role)));

const people = (count: number): string => (count === 1 ? '1 person' : `${count} people`);

/** Runbooks and budgets that wait for approvers of a role whom too few hold yet. `among`: where `known` come from. */
export function approverNotes(
  { runbooks, budgets }: Pick<Catalog, 'runbooks' | 'budgets'>,
  known: readonly Somebody[],
  among: 'the file names' | 'there is',
): string[] {
  const waiting = [
    ...Array.from(runbooks.values(), ({ name, approval }) => ({ what: `Runbook ${name}`, approval })),
    ...Array.from(runbooks.values()).flatMap(waitsFor),
    ...budgets.map(({ name, approval }) => ({ what: `Budget ${name}`, approval })),
  ];
  return waiting.flatMap(({ what, approval }) => {
    const [role] = approval?.roles ?? [];
    if (approval === undefined || role === undefined) return [];
    const count = known.filter((one) => isNamed(approval, one)).length;
    if (count >= approval.quorum) return [];
    const needed = `${approval.quorum} approver${approval.quorum === 1 ? '' : 's'} of role ${approval.roles.join(' or ')}`;
    const add = `person add NAME --roles ${role} --key`;
    return `${what} needs ${needed}; ${among} ${count === 0 ? 'none' : `only ${count}`}, so add ${count === 0 ? 'one' : 'another'}: ${add}`;
  });
}

/** The approvals that steps of a runbook wait for. */
const waitsFor = ({ name, executor }: Runbook): { what: string; approval: ApprovalPolicy }[] =>
  (executor.kind === 'steps' ? executor.steps : []).flatMap((step) =>
    'wait' in step && step.wait.kind === 'approval'
      ? [{ what: `Step ${step.name} of ${name}`, approval: step.wait.approval }]
      : [],
  );

function checkNames(policy: ApprovalPolicy, staff: Staff, path: readonly string[], report: Report): void {
  policy.roles.forEach((role, index) => {
    if (!staff.roles.some(({ name }) => name === role))
      report(
        'SBX013',
        [...path, 'roles', index],
        `There is no role "${role}" to approve.`,
        'Define it under roles.',
      );
  });
  policy.persons.forEach((person, index) => {
    const found = staff.principals.find(({ name }) => name === person);
    if (found?.kind === 'person') return;
    const message = found
      ? `"${person}" is an agent, and only people vote.`
      : `There is no person "${person}" to approve.`;
    report('SBX013', [...path, 'persons', index], message, 'Name somebody defined under people.');
  });
}

function mayAsk(
  person: CatalogPrincipal,
  permission: string | undefined,
  roles: readonly CatalogRole[],
): boolean {
  const patterns = roles
    .filter(({ name }) => person.roles.includes(name))
    .flatMap(({ permissions }) => permissions);
  return permission !== undefined && permits(patterns, permission as Permission);
}

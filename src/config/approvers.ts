import type { ApprovalPolicy } from '../domain/approval.ts';
import type { CatalogPrincipal, CatalogRole } from '../domain/catalog.ts';
import { permits, type Permission } from '../domain/permission.ts';
import type { Report } from './problem.ts';

export interface Staff {
  readonly roles: readonly CatalogRole[];
  readonly principals: readonly CatalogPrincipal[];
}

/**
 * Checks that those who are to agree exist, and that enough of them do even when one of them is the requester, who
 * never votes. Where a role decides, commands can add people to it later, so too few of them are only worth a note.
 */
export function checkApproval(
  policy: ApprovalPolicy,
  permission: string,
  staff: Staff,
  path: readonly string[],
  report: Report,
  note: (text: string) => void,
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
  const eligible = staff.principals.filter(
    ({ kind, name, roles }) =>
      kind === 'person' &&
      (policy.persons.includes(name) || roles.some((role) => policy.roles.includes(role))),
  );
  const left = eligible.length - (eligible.some((person) => mayAsk(person, permission, staff.roles)) ? 1 : 0);
  if (left >= policy.quorum) return;
  const message = `${where}: ${policy.quorum} must agree, and the file has ${left} who can when one of them asks.`;
  if (policy.roles.length > 0)
    note(`${message} Add people with \`person add NAME --roles ${policy.roles[0]}\`.`);
  else report('SBX014', [...path, 'quorum'], message, 'Name more people, name a role, or lower the quorum.');
}

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

function mayAsk(person: CatalogPrincipal, permission: string, roles: readonly CatalogRole[]): boolean {
  const patterns = roles
    .filter(({ name }) => person.roles.includes(name))
    .flatMap(({ permissions }) => permissions);
  return permits(patterns, permission as Permission);
}

import type { Sandbox } from './catalog.ts';
import { Refusal } from './errors.ts';
import type { Runbook } from './runbook.ts';

type Run = Pick<Runbook, 'name' | 'executor'>;

/**
 * Why a sandbox does not run a runbook: what a program reaches is out of our hands, so that only those run that it
 * names. Steps are looked at one by one. Undefined where it does.
 */
export function outsideSandbox(sandbox: Sandbox | undefined, { name, executor }: Run): string | undefined {
  if (!sandbox || executor.kind !== 'shell' || sandbox.shell.includes(name)) return undefined;
  return `this workspace is a sandbox, and ${name} runs a program that is not in its list (sandbox.shell)`;
}

/** @throws Refusal `forbidden` that names the runbook. */
export function checkSandbox(sandbox: Sandbox | undefined, runbook: Run): void {
  const reason = outsideSandbox(sandbox, runbook);
  if (reason !== undefined) throw new Refusal('forbidden', reason);
}

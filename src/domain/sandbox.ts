import type { Sandbox } from './catalog.ts';
import { Refusal } from './errors.ts';
import type { Runbook } from './runbook.ts';

/**
 * What a program reaches is out of our hands, so that a sandbox runs only those that it names, steps included.
 * @throws Refusal `forbidden` that names the runbook.
 */
export function checkSandbox(sandbox: Sandbox | undefined, { name, executor }: Runbook): void {
  if (!sandbox) return;
  if (executor.kind === 'steps')
    for (const step of executor.steps)
      if ('runbook' in step)
        for (const call of [step, ...(step.compensate ? [step.compensate] : [])])
          checkSandbox(sandbox, call.runbook);
  if (executor.kind === 'shell' && !sandbox.shell.includes(name))
    throw new Refusal(
      'forbidden',
      `this workspace is a sandbox, and ${name} runs a program that is not in its list (sandbox.shell)`,
    );
}

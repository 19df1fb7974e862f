import { outsideSandbox } from '../../domain/sandbox.ts';
import type { Executor } from './execution.ts';
import { runHttp } from './http.ts';
import { runProbe } from './probe.ts';
import { runShell } from './shell.ts';

/** Runs one try of a job with the executor that its runbook names, where a sandbox lets it. */
export const execute: Executor = async (execution, deps) => {
  const reason = outsideSandbox(deps.sandbox, execution.runbook);
  if (reason !== undefined) return { kind: 'fail', failure: 'refused', stage: 'start', reason };
  switch (execution.runbook.executor.kind) {
    case 'http':
      return runHttp(execution, deps);
    case 'shell':
      return runShell(execution, deps);
    case 'probe':
      return runProbe(execution, deps);
    case 'steps':
    case 'remote':
      throw new TypeError(`${execution.runbook.name} is not for this executor`);
  }
};

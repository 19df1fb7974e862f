import type { Catalog } from '../../src/domain/catalog.ts';
import { DAY, SECOND } from '../../src/domain/clock.ts';
import { testRunbook } from './runbook.ts';

const deploy = testRunbook({
  name: 'deploy',
  args: {
    type: 'object',
    properties: { service: { type: 'string' }, env: { type: 'string', enum: ['staging', 'production'] } },
    required: ['env'],
    additionalProperties: false,
  },
  risk: 'destructive',
  approval: { quorum: 2, roles: ['approver'], persons: [], timeout: 3_600 * SECOND },
});

/** ana: admin · ben, cho: operators and approvers · vic: viewer · bot: an agent; source `ci`; runbooks deploy, restart. */
export function testCatalog(over: Partial<Catalog> = {}): Catalog {
  const person = (name: string, roles: string[], kind: 'person' | 'agent' = 'person') => ({
    name,
    kind,
    display: name[0]?.toUpperCase() + name.slice(1),
    roles,
    identities:
      kind === 'person'
        ? [
            { channel: 'slack', subject: `T1/U${name.toUpperCase()}` },
            { channel: 'email', subject: `${name}@example.test` },
          ]
        : [],
  });
  return {
    workspace: 'main',
    roles: [
      { name: 'admin', permissions: ['*'] },
      {
        name: 'operator',
        permissions: [
          'task:*',
          'job:*',
          'probe:*',
          'runbook:*',
          'approval:read',
          'subscription:*',
          'event:read',
        ],
      },
      { name: 'approver', permissions: ['approval:read', 'approval:decide', 'job:read'] },
      { name: 'viewer', permissions: ['task:read', 'job:read', 'probe:read', 'approval:read'] },
    ],
    principals: [
      person('ana', ['admin']),
      person('ben', ['operator', 'approver']),
      person('cho', ['operator', 'approver']),
      person('vic', ['viewer']),
      person('bot', ['operator', 'approver'], 'agent'),
    ],
    runbooks: new Map([
      ['deploy', deploy],
      ['restart', testRunbook({ name: 'restart' })],
    ]),
    probes: new Map([
      [
        'api',
        {
          name: 'api',
          summary: 'The API answers',
          method: 'GET',
          url: 'http://127.0.0.1:9/health',
          headers: {},
          timeout: 2 * SECOND,
          expect: { status: [200], headers: {}, latency: undefined },
        },
      ],
    ]),
    sources: new Map(),
    allowedHosts: ['127.0.0.1'],
    jobs: { concurrency: 64, queued: 10_000, depth: 5, causedPerHour: 60, keepLogs: 30 * DAY },
    sandbox: undefined,
    budgets: [],
    notify: false,
    breakers: { failures: 5, open: 30 * SECOND, cap: 600 * SECOND },
    limits: { perSender: 100_000, perChannel: 100_000, perWorkspace: 100_000, heartbeats: 100_000 },
    ...over,
  };
}

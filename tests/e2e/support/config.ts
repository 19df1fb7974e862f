/** What the town of this story allows: Ana asks, Ben (Slack) and Cho (mail) agree. */
export const TEAM = 'T0TEAM001';

export interface Places {
  /** The file that the deployment appends a line to. */
  readonly receipts: string;
  /** A server that the deployment waits for, and that the probe asks. */
  readonly target: string;
}

/** The `signalbox.yaml` of the story. */
export const configuration = ({ receipts, target }: Places): string => `
workspace: main

roles:
  deployer: ['task:*', 'job:*', 'probe:*', 'runbook:*', 'approval:*', 'subscription:*', 'event:read']
  approver: ['approval:read', 'approval:decide', 'job:read']

people:
  ana:
    roles: [deployer, approver]
    identities: ['slack:${TEAM}/U0ANA', 'email:ana@good.test']
  ben:
    roles: [approver]
    identities: ['slack:${TEAM}/U0BEN']
  cho:
    roles: [approver]
    identities: ['email:cho@good.test']

allowedHosts: ['${new URL(target).host}']

runbooks:
  deploy:
    summary: Deploy to an environment
    risk: destructive
    permission: runbook:deploy
    timeout: 1m
    tries: { max: 1 }
    bounds: { logLines: 100, outputBytes: 10000 }
    args:
      required: [env]
      properties:
        env: { type: string, enum: [staging, production] }
    approval: { quorum: 2, roles: [approver], timeout: 1h }
    executor:
      kind: shell
      argv:
        - node
        - -e
        - |
          const [env, receipts, gate] = process.argv.slice(1);
          require('node:fs').appendFileSync(receipts, env + '\\n');
          console.log('Deploying to ' + env);
          fetch(gate).then(() => console.log('Live on ' + env));
        - \${args.env}
        - ${receipts}
        - ${target}/gate

probes:
  web:
    summary: The web answers
    url: ${target}/health
    timeout: 5s
    expect: { status: 200, headers: { content-type: '^text/plain' } }

sources:
  github:
    kind: github
    secret: \${env:GITHUB_WEBHOOK_SECRET}
    rules:
      - name: failed-build
        when: event == "workflow_run" && payload.workflow_run.conclusion == "failure"
        command: task.create
        args:
          title: '"Build failed: " + payload.workflow_run.name + " on " + payload.workflow_run.head_branch'
          priority: '"P1"'
`;

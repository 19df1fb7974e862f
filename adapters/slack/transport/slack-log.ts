import type { LogLevel } from '@slack/bolt';
import type { Logger as SlackLogger } from '@slack/bolt';
import type { Logger } from 'pino';

/**
 * Slack's libraries log through ours. Their `debug` and `info` are dropped: they carry whole payloads.
 * `level` is passed in because its enum is loaded only when Slack is on.
 */
export function slackLog(log: Logger, level: LogLevel): SlackLogger {
  const drop = (): void => undefined;
  return {
    debug: drop,
    info: drop,
    warn: (...parts) => log.warn({ parts }, 'slack library'),
    error: (...parts) => log.error({ parts }, 'slack library'),
    setLevel: drop,
    getLevel: () => level,
    setName: drop,
  };
}

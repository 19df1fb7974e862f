import type pg from 'pg';
import { getConstructionPlans, getMigrationPlans, PgBoss } from 'pg-boss';
import { DAY, HOUR, MINUTE, SECOND } from '../../domain/clock.ts';
import { APP_ROLE, serverConfig, type ClientOptions } from './client.ts';
import { Pool } from './pool.ts';

/** The schema of the job engine. It stands outside row-level security: in its rows are ids of jobs, and times. */
const SCHEMA = 'pgboss';
/**
 * The form of its tables that this version of pg-boss works with. With another one goes a migration of ours, be it empty:
 * only with one of those is the engine looked after.
 */
export const ENGINE_SCHEMA = 43;

/** Milliseconds that a statement may take; the database itself ends them before that. */
const LONGEST = 12 * SECOND;

/**
 * How every queue is set up. Our rows are the truth and our leases tell lost workers, so pg-boss neither tries again nor
 * gives up what waits; what runs it takes for lost after a day, the longest it can be told. What has ended is of no use
 * to anybody.
 */
const SETTINGS = {
  policy: 'standard',
  retryLimit: 0,
  expireInSeconds: DAY / SECOND,
  retentionSeconds: (10_000 * DAY) / SECOND,
  deleteAfterSeconds: HOUR / SECOND,
} as const;

/** As the owner: makes pg-boss's tables, or brings them to this version's form, each in a transaction of its own. */
export async function installEngine(owner: pg.Client): Promise<void> {
  const { rows } = await owner.query<{ name: string | null }>(
    `SELECT to_regclass('${SCHEMA}.version') AS name`,
  );
  if (!rows[0]?.name) {
    await owner.query(getConstructionPlans(SCHEMA));
    return;
  }
  const known = await owner.query<{ version: number }>(`SELECT version FROM ${SCHEMA}.version`);
  const version = Number(known.rows[0]?.version);
  // Its tables are small: to build an index while others wait is simpler than to build it beside them.
  if (version < ENGINE_SCHEMA)
    await owner.query(getMigrationPlans(SCHEMA, version).replaceAll(' CONCURRENTLY', ''));
}

/** Opens them to the role of servers. */
export const ENGINE_GRANTS = `
  GRANT USAGE ON SCHEMA ${SCHEMA} TO ${APP_ROLE};
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${SCHEMA} TO ${APP_ROLE};
`;

export interface EngineOptions extends ClientOptions {
  readonly report: (error: unknown) => void;
}

/** pg-boss as this process uses it: it carries the ids of queued jobs inside our own transactions. */
export class Engine {
  readonly #pool: Pool;
  readonly #report: (error: unknown) => void;
  #boss: Promise<PgBoss> | undefined;
  readonly #queues = new Map<string, Promise<void>>();

  /** Connects with the first job; `report` is told what goes wrong in the background. */
  constructor({ report, ...connection }: EngineOptions) {
    this.#pool = new Pool({
      ...serverConfig({ answerWithin: LONGEST, ...connection }),
      pipeline: false,
      max: 2,
    });
    this.#report = report;
  }

  /** The queue of a workspace's jobs that need a capability, made where there is none yet. */
  async queue(workspace: string, capability: string): Promise<{ boss: PgBoss; name: string }> {
    this.#boss ??= forgetting(this.#open(), () => (this.#boss = undefined));
    const boss = await this.#boss;
    const name = `${workspace}/${capability}`;
    let made = this.#queues.get(name);
    if (!made) {
      made = forgetting(boss.createQueue(name, SETTINGS), () => this.#queues.delete(name));
      this.#queues.set(name, made);
    }
    await made;
    return { boss, name };
  }

  async close(): Promise<void> {
    const boss = await this.#boss?.catch(() => undefined);
    await boss?.stop({ graceful: false, close: false });
    await this.#pool.close();
  }

  async #open(): Promise<PgBoss> {
    const boss = new PgBoss({
      // Of several statements at once it wants all results, as they come.
      db: { executeSql: (text, values) => this.#pool.query(text, values) },
      schema: SCHEMA,
      migrate: false,
      createSchema: false,
      reindex: false,
      monitorVacuum: false,
      schedule: false,
      monitorIntervalSeconds: HOUR / SECOND,
      maintenanceIntervalSeconds: (10 * MINUTE) / SECOND,
    });
    boss.on('error', this.#report);
    return boss.start();
  }
}

/** What failed is tried anew by whoever needs it next. */
function forgetting<T>(work: Promise<T>, forget: () => void): Promise<T> {
  work.catch(forget);
  return work;
}

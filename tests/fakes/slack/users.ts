import { ApiRefusal } from './api-refusal.ts';
import type { User, World } from './world.ts';

type Params = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

/** `users.*`: who somebody is. */
export class Users {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  info(params: Params): Answer {
    const user = this.#world.user(String(params['user']));
    if (user === undefined) throw new ApiRefusal('user_not_found');
    return { ok: true, user: userObject(user) };
  }

  list({ cursor, limit }: Params): Answer {
    const { users } = this.#world;
    const start = cursor === undefined || cursor === '' ? 0 : Number(cursor);
    const count = limit === undefined ? users.length : Number(limit);
    if (!Number.isInteger(start)) throw new ApiRefusal('invalid_cursor');
    if (!Number.isInteger(count) || count < 0) throw new ApiRefusal('invalid_limit');
    const end = count === 0 ? users.length : start + count;
    return {
      ok: true,
      members: users.slice(start, end).map(userObject),
      cache_ts: 1_498_777_272,
      response_metadata: { next_cursor: end < users.length ? String(end) : '' },
    };
  }
}

/** docs.slack.dev/reference/objects/user-object: a deactivated account keeps little. */
function userObject(user: User): Record<string, unknown> {
  const { id, name, teamId, isBot, isRestricted, isUltraRestricted, isStranger, deleted } = user;
  const names = {
    real_name: name,
    real_name_normalized: name,
    display_name: name,
    display_name_normalized: name,
  };
  const profile = { ...names, avatar_hash: 'g0fake', status_text: '', status_emoji: '', team: teamId };
  const base = {
    id,
    team_id: teamId,
    name,
    deleted,
    profile,
    is_bot: isBot,
    is_app_user: false,
    updated: 1_502_138_686,
  };
  if (deleted) return base;
  return {
    ...base,
    color: '9f69e7',
    real_name: name,
    tz: 'Europe/Berlin',
    tz_label: 'Central European Time',
    tz_offset: 3_600,
    is_admin: false,
    is_owner: false,
    is_primary_owner: false,
    is_restricted: isRestricted || isUltraRestricted,
    is_ultra_restricted: isUltraRestricted,
    ...(isStranger && { is_stranger: true }),
  };
}

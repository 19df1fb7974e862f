/** The team as payloads name it. */
export interface Team {
  readonly teamId: string;
  readonly botUser: string;
  readonly appId: string;
}

/** The app's bot in it. */
export interface Bot extends Team {
  readonly botId: string;
  readonly name: string;
}

/** Where a database is. The address of a PostgreSQL has a password in it, so it is shown nowhere. */
export type Location =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** The owner's address, for migrating; undefined: `url` does. */
      readonly owner?: string | undefined;
    };

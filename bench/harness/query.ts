import pg from 'pg'

/** Runs one statement over a connection of its own. */
export async function query(databaseUrl: string, text: string): Promise<pg.QueryResult<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return await client.query<Record<string, unknown>>(text)
  } finally {
    await client.end()
  }
}

/** The `count` column of the only row. */
export async function count(databaseUrl: string, text: string): Promise<number> {
  return Number((await query(databaseUrl, text)).rows[0]?.count)
}

/** One SQL statement, prepared under its name on each connection that runs it. Parameters are always bound. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Runs statements: the pool (each in a transaction of its own) or one open transaction. */
export interface Sql {
  /** Runs a prepared statement and returns its rows. */
  query<Row extends object>(statement: Statement, params?: readonly unknown[]): Promise<Row[]>
  /** Runs unnamed SQL, for libraries that bring their own text (pg-boss) and for DDL. */
  run<Row extends object>(text: string, params?: readonly unknown[]): Promise<Row[]>
}

export interface Tx extends Sql {
  readonly inTransaction: true
}

export interface Database extends Sql {
  /** Commits when `fn` resolves, rolls back when it rejects. */
  transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * The same in one packet each way: what `issue` asks for before it returns is one implicit transaction of Postgres, without BEGIN and COMMIT.
   * `issue` must issue all its statements at once, none after an await (that one would be refused); if it throws, nothing is sent. The
   * answers come once all is committed, so a statement that must stop the commit has to fail in Postgres. Unnamed SQL is one statement a
   * call here, and parameters are texts, numbers, booleans, dates, null or lists of these.
   */
  atOnce<T>(issue: (tx: Tx) => Promise<T>): Promise<T>
}

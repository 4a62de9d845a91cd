/** Where a contender works: a database of its own and, when it asks for it, an emptied Redis. */
export interface Place {
  readonly databaseUrl: string
  /** Empty when the contender does not use Redis. */
  readonly redisUrl: string
}

export interface Closable {
  close(): Promise<void>
}

export interface Producer extends Closable {
  /** Submits this many small jobs as fast as it can; resolves once all are accepted. */
  submit(jobs: number): Promise<void>
}

/** One way to run jobs. Each role runs in a process of its own; see role.ts. */
export interface Contender {
  readonly name: string
  /** One line for the report: how it is set up. */
  readonly setup: string
  readonly needsRedis: boolean
  /** Creates tables and queues. */
  prepare(place: Place): Promise<void>
  produce(place: Place): Promise<Producer>
  /** Runs jobs until closed; calls `ran` after each handler that has run. */
  work(place: Place, ran: () => void): Promise<Closable>
  /** How many jobs have no outcome in Postgres yet; asked only once all handlers have run. */
  unrecorded(place: Place, jobs: number): Promise<number>
  readonly roundTrips: readonly RoundTrip[]
}

/** A way to submit one job and learn its outcome. */
export interface RoundTrip {
  readonly name: string
  readonly setup: string
  open(place: Place): Promise<Closable & { once(): Promise<void> }>
}

/** A web server that accepts a job a request. */
export interface HttpContender {
  readonly name: string
  readonly setup: string
  readonly needsRedis: boolean
  prepare(place: Place): Promise<void>
  /** Resolves to the URL to POST to. */
  serve(place: Place): Promise<Closable & { readonly url: string }>
}

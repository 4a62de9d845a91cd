import { XCoreError } from '../../errors/index.ts'
import { replayId } from '../../event-log/index.ts'
import type { Json, JsonObject, ReplayId } from '../../event-log/index.ts'
import { sqlState } from '../../postgres/connection.ts'
import type { Sql, Statement, Tx } from '../../postgres/sql.ts'
import { selectionOf } from './filter.ts'
import type { FrozenSelection } from './filter.ts'
import type { LeftOut, ReplayState } from './port.ts'
import type { JobCounts } from './progress.ts'

/** A bulk replay as it is stored. */
export interface StoredReplay {
  readonly id: ReplayId
  readonly name: string
  readonly reason: string
  readonly actor: string
  readonly kind: 'jobs' | 'events'
  readonly filter: JsonObject
  readonly receivers: JsonObject | null
  readonly selection: FrozenSelection
  readonly edited: { readonly payload: Json } | undefined
  readonly force: boolean
  readonly priority: number
  readonly ratePerSecond: number | null
  readonly stopAtFailures: number | null
  readonly state: ReplayState
  readonly total: number
  readonly enqueued: number
  readonly leftOut: Readonly<Partial<Record<LeftOut, number>>>
  readonly cursor: string | null
  readonly selectedAt: Date | null
  readonly createdAt: Date
  readonly finishedAt: Date | null
  readonly settledAt: Date | null
  readonly outcome: JobCounts | null
}

interface ReplayRowRead {
  id: string
  name: string
  reason: string
  actor: string
  kind: 'jobs' | 'events'
  filter: JsonObject
  receivers: JsonObject | null
  edited: { payload: Json } | null
  force: boolean
  priority: number
  rate_per_second: number | null
  stop_at_failures: number | null
  state: ReplayState
  total: number
  enqueued: number
  left_out: Partial<Record<LeftOut, number>>
  cursor: string | null
  selected_at: Date | null
  created_at: Date
  finished_at: Date | null
  settled_at: Date | null
  outcome: JobCounts | null
}

const COLUMNS = `id::text, name, reason, actor, kind, filter, receivers, edited, force, priority, rate_per_second, stop_at_failures, state, total,
  enqueued, left_out, cursor, selected_at, created_at, finished_at, settled_at, outcome`

function fromRow(row: ReplayRowRead): StoredReplay {
  return {
    id: replayId(row.id),
    name: row.name,
    reason: row.reason,
    actor: row.actor,
    kind: row.kind,
    filter: row.filter,
    receivers: row.receivers,
    selection: selectionOf(row.kind, row.filter, row.receivers),
    edited: row.edited ?? undefined,
    force: row.force,
    priority: row.priority,
    ratePerSecond: row.rate_per_second,
    stopAtFailures: row.stop_at_failures,
    state: row.state,
    total: row.total,
    enqueued: row.enqueued,
    leftOut: row.left_out,
    cursor: row.cursor,
    selectedAt: row.selected_at,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
    settledAt: row.settled_at,
    outcome: row.outcome,
  }
}

const INSERT: Statement = {
  name: 'insert_replay',
  text: `
    insert into xcore.replays (id, name, reason, actor, kind, filter, receivers, edited, force, priority, rate_per_second, stop_at_failures,
      state, total, created_at)
    values ($1::uuid, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8::jsonb, $9, $10, $11, $12, 'running', $13, $14)`,
}

export interface NewReplay {
  readonly id: ReplayId
  readonly name: string
  readonly reason: string
  readonly actor: string
  readonly kind: 'jobs' | 'events'
  readonly filter: JsonObject
  readonly receivers: JsonObject | null
  readonly edited: { readonly payload: Json } | undefined
  readonly force: boolean
  readonly priority: number
  readonly ratePerSecond: number | undefined
  readonly stopAtFailures: number | undefined
  readonly total: number
  readonly createdAt: Date
}

/** Throws `replay_exists` when one of this name is running or paused. */
export async function insertReplay(tx: Tx, replay: NewReplay): Promise<void> {
  try {
    await tx.query(INSERT, [
      replay.id,
      replay.name,
      replay.reason,
      replay.actor,
      replay.kind,
      JSON.stringify(replay.filter),
      replay.receivers === null ? null : JSON.stringify(replay.receivers),
      replay.edited === undefined ? null : JSON.stringify(replay.edited),
      replay.force,
      replay.priority,
      replay.ratePerSecond ?? null,
      replay.stopAtFailures ?? null,
      replay.total,
      replay.createdAt,
    ])
  } catch (error) {
    if (sqlState(error) !== '23505') throw error
    throw new XCoreError(
      'replay_exists',
      `A replay named "${replay.name}" is running or paused already; perhaps somebody else has just started the same. Look at it with GET /replays or \`xcore replays\`, and wait for it, cancel it, or choose another name.`,
    )
  }
}

const BY_ID: Statement = { name: 'replay_by_id', text: `select ${COLUMNS} from xcore.replays where id = $1::uuid` }
const LOCK: Statement = { name: 'lock_replay', text: `select ${COLUMNS} from xcore.replays where id = $1::uuid for update` }
const LATEST: Statement = { name: 'latest_replays', text: `select ${COLUMNS} from xcore.replays order by id desc limit $1` }
const UNSETTLED: Statement = {
  name: 'unsettled_replays',
  text: `select ${COLUMNS} from xcore.replays where settled_at is null order by id`,
}

export async function findReplay(sql: Sql, id: string): Promise<StoredReplay | undefined> {
  const [row] = await sql.query<ReplayRowRead>(BY_ID, [id])
  return row === undefined ? undefined : fromRow(row)
}

/** Nobody else enqueues for it, holds it or ends it until the transaction is over. */
export async function lockReplay(tx: Tx, id: string): Promise<StoredReplay | undefined> {
  const [row] = await tx.query<ReplayRowRead>(LOCK, [id])
  return row === undefined ? undefined : fromRow(row)
}

export async function latestReplays(sql: Sql, limit: number): Promise<StoredReplay[]> {
  return (await sql.query<ReplayRowRead>(LATEST, [limit])).map(fromRow)
}

/** Those that somebody must still look after. */
export async function unsettledReplays(sql: Sql): Promise<StoredReplay[]> {
  return (await sql.query<ReplayRowRead>(UNSETTLED)).map(fromRow)
}

const ADVANCE: Statement = {
  name: 'advance_replay',
  text: `
    update xcore.replays set cursor = coalesce($2, cursor), looked_at = looked_at + $3, enqueued = enqueued + $4, left_out = $5::jsonb,
      selected_at = $6
    where id = $1::uuid`,
}

export interface Advance {
  /** null: as it was. */
  readonly cursor: string | null
  readonly lookedAt: number
  readonly enqueued: number
  /** In all. */
  readonly leftOut: Readonly<Partial<Record<LeftOut, number>>>
  readonly selectedAt: Date | null
}

export async function advanceReplay(tx: Tx, id: ReplayId, to: Advance): Promise<void> {
  await tx.query(ADVANCE, [id, to.cursor, to.lookedAt, to.enqueued, JSON.stringify(to.leftOut), to.selectedAt])
}

export interface ItemRow {
  readonly item: string
  readonly receiver: string
  readonly job_id: string | null
  readonly left_out: LeftOut | null
}

const INSERT_ITEMS: Statement = {
  name: 'insert_replay_items',
  text: `
    insert into xcore.replay_items (replay_id, item, receiver, job_id, left_out)
    select $1::uuid, item, coalesce(receiver, ''), job_id, left_out
    from unnest(string_to_array($2, E'\\n')::uuid[], $3::text[], string_to_array($4, E'\\n', '')::uuid[], string_to_array($5, E'\\n', ''))
      as r(item, receiver, job_id, left_out)`,
}

export async function insertItems(tx: Tx, id: ReplayId, items: readonly ItemRow[]): Promise<void> {
  if (items.length === 0) return
  const lines = (line: (item: ItemRow) => string) => items.map(line).join('\n')
  // Of jobs there are none.
  const receivers = items.some((item) => item.receiver !== '') ? items.map((item) => item.receiver) : null
  await tx.query(INSERT_ITEMS, [
    id,
    lines((item) => item.item),
    receivers,
    lines((item) => item.job_id ?? ''),
    lines((item) => item.left_out ?? ''),
  ])
}

const SET_STATE: Statement = {
  name: 'set_replay_state',
  text: `
    update xcore.replays set state = $2, finished_at = case when $2 in ('completed', 'cancelled', 'stopped') then $3::timestamptz end
    where id = $1::uuid returning ${COLUMNS}`,
}

export async function setState(tx: Tx, id: ReplayId, state: ReplayState, now: Date): Promise<StoredReplay | undefined> {
  const [row] = await tx.query<ReplayRowRead>(SET_STATE, [id, state, now])
  return row === undefined ? undefined : fromRow(row)
}

const SETTLE: Statement = {
  name: 'settle_replay',
  text: `update xcore.replays set settled_at = $2, outcome = $3::jsonb where id = $1::uuid and finished_at is not null`,
}

/** Its last job has finished. */
export async function settleReplay(tx: Tx, id: ReplayId, outcome: JobCounts, now: Date): Promise<void> {
  await tx.query(SETTLE, [id, now, JSON.stringify(outcome)])
}

// One index probe and a heap fetch a job: 100,000 in about 0.1 s.
const COUNT: Statement = {
  name: 'count_replayed',
  text: `
    select count(*) filter (where finished_at is null)::int as live, count(*) filter (where state = 'succeeded')::int as succeeded,
      count(*) filter (where state in ('failed', 'dead'))::int as failed, count(*) filter (where state = 'cancelled')::int as cancelled
    from xcore.jobs where replay_id = $1::uuid`,
}

const NONE: JobCounts = { live: 0, succeeded: 0, failed: 0, cancelled: 0 }

export async function countReplayed(sql: Sql, id: ReplayId): Promise<JobCounts> {
  return (await sql.query<JobCounts>(COUNT, [id]))[0] ?? NONE
}

const WAITING: Statement = {
  name: 'replayed_waiting',
  text: `select id::text, plugin from xcore.jobs where replay_id = $1::uuid and finished_at is null and id > $2::uuid order by id limit $3`,
}

/** Jobs of the replay that have not finished, after the id `after`. */
export async function unfinishedJobs(sql: Sql, id: ReplayId, after: string, limit: number): Promise<{ id: string; plugin: string }[]> {
  return sql.query(WAITING, [id, after, limit])
}

const RETIRE: Statement = {
  name: 'retire_replays',
  text: `
    with old as (delete from xcore.replays where settled_at < $1 returning id),
      items as (delete from xcore.replay_items i using old where i.replay_id = old.id)
    select id::text from old`,
}

/** Removes bulk replays that ended before `cutoff`, with their items; returns how many. */
export async function retireReplays(sql: Sql, cutoff: Date): Promise<number> {
  return (await sql.query(RETIRE, [cutoff])).length
}

import { randomBytes } from 'node:crypto'
import { escapeIdentifier, escapeLiteral } from 'pg'
import { XCoreError, messageOf } from '../../errors/index.ts'
import type { Database, Statement, Tx } from '../../postgres/sql.ts'
import { sqlState } from '../../postgres/connection.ts'
import { schemaName } from './schema-name.ts'
import { scramVerifier } from './scram.ts'

/** A login of a plugin. */
export interface PluginRole {
  readonly name: string
  readonly password: string
}

/** Who a plugin is to Postgres. */
export interface PluginDatabase {
  readonly plugin: string
  readonly schema: string
  /** Owns what the plugin's migrations and statements make. */
  readonly writer: PluginRole
  /** May SELECT from it. */
  readonly reader: PluginRole
}

/** Connections that one role may have over all processes. */
const CONNECTION_LIMIT = 60

interface Row {
  plugin: string
  schema: string
  writer: string
  writer_password: string
  reader: string
  reader_password: string
}

const REMEMBER: Statement = {
  name: 'plugin_database_remember',
  text: `
    insert into xcore.plugin_databases (plugin, schema, writer, writer_password, reader, reader_password)
    values ($1, $2, $3, $4, $5, $6) on conflict (plugin) do nothing`,
}
const KNOWN: Statement = {
  name: 'plugin_database_known',
  text: `select plugin, schema, writer, writer_password, reader, reader_password from xcore.plugin_databases where plugin = $1`,
}
const LOCK: Statement = {
  name: 'plugin_databases_lock',
  text: `select pg_advisory_xact_lock(hashtextextended('xcore plugin databases', 0))`,
}
const EXISTING: Statement = {
  name: 'plugin_database_existing',
  text: `
    select rolname as role, rolcanlogin and rolconnlimit = $3 as whole,
      to_regnamespace(quote_ident($2)) is not null and has_schema_privilege(rolname, quote_ident($2), 'usage') as admitted
    from pg_roles where rolname = any($1::text[])`,
}
const MYSELF: Statement = {
  name: 'plugin_database_myself',
  text: `select current_user as name, current_database() as database, rolsuper as superuser from pg_roles where rolname = current_user`,
}

// Left by processes that died between announcing and committing; of no use to anybody, since their transactions are gone.
const SWEEP: Statement = {
  name: 'plugin_transactions_sweep',
  text: `delete from xcore.plugin_transactions where created_at < now() - interval '1 day'`,
}

/**
 * Makes sure that the plugin has its schema and its two roles, in one transaction. Idempotent, safe in several processes at once; does
 * nothing but read when all is there. `repair`: also when it seems to be, since a login failed.
 * Throws XCoreError `database_privilege_missing` when XCore's own user may not make roles.
 */
export async function ensurePluginDatabase(database: Database, plugin: string, repair = false): Promise<PluginDatabase> {
  await database.query(SWEEP)
  const [known] = await database.query<Row>(KNOWN, [plugin])
  if (known !== undefined && !repair && (await isWhole(database, known))) return fromRow(known)
  const [me] = await database.query<{ name: string; database: string; superuser: boolean }>(MYSELF)
  const mine = me ?? { name: '', database: '', superuser: false }
  try {
    return await database.transaction(async (tx) => {
      await tx.query(LOCK)
      await tx.query(REMEMBER, [plugin, schemaName(plugin), roleName(), password(), roleName(), password()])
      const [row] = await tx.query<Row>(KNOWN, [plugin])
      if (row === undefined) throw new XCoreError('internal_error', `the database of plugin ${plugin} was not remembered`)
      const made = fromRow(row)
      await makeRole(tx, made.writer, mine)
      await makeRole(tx, made.reader, mine)
      await makeSchema(tx, made)
      if (mine.superuser) await harden(tx)
      return made
    })
  } catch (error) {
    throw sqlState(error) === '42501' ? missing(plugin, mine, error) : error
  }
}

async function isWhole(database: Database, row: Row): Promise<boolean> {
  const roles = await database.query<{ whole: boolean; admitted: boolean }>(EXISTING, [
    [row.writer, row.reader],
    row.schema,
    CONNECTION_LIMIT,
  ])
  return roles.length === 2 && roles.every(({ whole, admitted }) => whole && admitted)
}

async function makeRole(tx: Tx, role: PluginRole, me: { readonly name: string; readonly superuser: boolean }): Promise<void> {
  const name = escapeIdentifier(role.name)
  const settings = `login connection limit ${CONNECTION_LIMIT} password ${escapeLiteral(scramVerifier(role.password, randomBytes(16)))}`
  const there = await tx.run('select from pg_roles where rolname = $1', [role.name])
  await tx.run(`${there.length > 0 ? 'alter' : 'create'} role ${name} ${settings}`)
  // So that XCore may end its connections. The role itself becomes member of nothing.
  if (!me.superuser) await tx.run(`grant ${name} to current_user`)
}

/** The schema stays XCore's: its plugin can make and drop things in it, but neither give it away nor let others in. */
async function makeSchema(tx: Tx, { schema, writer, reader }: PluginDatabase): Promise<void> {
  const [name, write, read] = [schema, writer.name, reader.name].map(escapeIdentifier)
  await tx.run(`create schema if not exists ${name}`)
  await tx.run(`revoke all on schema ${name} from public`)
  await tx.run(`grant usage, create on schema ${name} to ${write}`)
  await tx.run(`grant usage on schema ${name} to ${read}`)
  // The reader sees what the writer makes. Functions are for the writer alone: one that writes would let the reader write.
  await tx.run(`alter default privileges for role ${write} in schema ${name} grant select on tables to ${read}`)
  await tx.run(`alter default privileges for role ${write} revoke execute on functions from public`)
  await tx.run(`grant select on all tables in schema ${name} to ${read}`)
  await tx.run(`grant usage on schema xcore_plugins to ${write}, ${read}`)
  await tx.run(`grant execute on function xcore_plugins.apply(uuid) to ${write}, ${read}`)
  await tx.run(`grant execute on function xcore_plugins.lock_migrations(), xcore_plugins.run(text) to ${write}`)
}

// What every role of a database may do unless a superuser takes it back, and what a plugin could get in XCore's way with: hold the
// advisory locks that XCore elects its leader by, fill the disk with large objects, make things in `public`.
const OPEN_FUNCTIONS: Statement = {
  name: 'plugin_databases_open_functions',
  text: `
    select oid::regprocedure::text as signature from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace
      and (proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$' or proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lowrite', 'lo_put'))
      and has_function_privilege('public', oid, 'execute')`,
}

/** Only a superuser can; the embedded server is always ours. */
async function harden(tx: Tx): Promise<void> {
  for (const { signature } of await tx.query<{ signature: string }>(OPEN_FUNCTIONS)) {
    await tx.run(`revoke execute on function ${signature} from public`)
  }
  const [open] = await tx.run<{ open: boolean }>(
    `select has_schema_privilege('public', 'public', 'create') as open where to_regnamespace('public') is not null`,
  )
  if (open?.open === true) await tx.run('revoke create on schema public from public')
}

function missing(plugin: string, me: { readonly name: string; readonly database: string }, cause: unknown): XCoreError {
  const user = escapeIdentifier(me.name)
  return new XCoreError(
    'database_privilege_missing',
    `The db service of plugin ${plugin} needs a role and a schema of its own, but the database user ${user} may not make them (${messageOf(cause)}). ` +
      `Let an administrator run: ALTER ROLE ${user} CREATEROLE; GRANT CREATE ON DATABASE ${escapeIdentifier(me.database)} TO ${user}; ` +
      'Everything but the db service works without.',
    { cause },
  )
}

function fromRow(row: Row): PluginDatabase {
  return {
    plugin: row.plugin,
    schema: row.schema,
    writer: { name: row.writer, password: row.writer_password },
    reader: { name: row.reader, password: row.reader_password },
  }
}

function roleName(): string {
  return `xcore_plugin_${randomBytes(8).toString('hex')}`
}
function password(): string {
  return randomBytes(32).toString('base64url')
}

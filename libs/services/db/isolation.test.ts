import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Client } from 'pg'
import { done, testPlugins } from '../../engine/testing/plugins.ts'
import { testServerUrl } from '../../postgres/testing/index.ts'
import { owner, testDb } from './testing/db-platform.ts'

const plugins = testPlugins({ shop: { handlers: { order: () => done() } } })

/** What a hostile plugin sends; each must be refused. */
const ATTACKS = [
  // others' data
  'select * from xcore.jobs',
  'select * from xcore.event_log',
  'select * from xcore.plugin_databases',
  'select * from xcore.secrets',
  'select * from xcore.plugin_transactions',
  `insert into xcore.plugin_transactions (id, xid, role, statements) values (gen_random_uuid(), pg_current_xact_id(), session_user, '[]')`,
  'select * from pgboss.job',
  'update xcore.jobs set state = $$succeeded$$',
  'delete from xcore.event_log',
  'truncate xcore.jobs',
  'select * from plugin_victim.secrets',
  'select plugin_victim.reveal()',
  'create table plugin_victim.mine ()',
  'create view spy as select * from plugin_victim.secrets',
  'create table child () inherits (plugin_victim.secrets)',
  'create table ref (id int references plugin_victim.secrets (id))',
  `create function spy() returns setof plugin_victim.secrets language sql security definer as 'select * from plugin_victim.secrets'`,
  'copy plugin_victim.secrets to stdout',
  'lock table plugin_victim.secrets',
  'lock table xcore.jobs',
  'comment on table plugin_victim.secrets is $$mine$$',
  'alter table plugin_victim.secrets owner to session_user',
  'drop table plugin_victim.secrets',
  'drop schema plugin_victim cascade',
  'drop schema plugin_shop cascade',
  'alter schema plugin_shop rename to mine',
  'analyze verbose plugin_victim.secrets; select 1',
  // other identities
  'set role xcore',
  'set session authorization xcore',
  'set session authorization default; select * from xcore.jobs',
  'create role mine superuser',
  'alter role session_user superuser',
  'alter role session_user createrole',
  'alter role session_user connection limit -1',
  'alter role session_user bypassrls',
  'grant xcore to session_user',
  'grant pg_read_all_data to session_user',
  // the server
  `select pg_read_file('/etc/passwd')`,
  `select pg_ls_dir('.')`,
  `select pg_read_binary_file('postgresql.conf')`,
  `select lo_import('/etc/passwd')`,
  `select lo_create(0)`,
  `select lo_from_bytea(0, 'x')`,
  `copy (select 1) to program 'id'`,
  `copy (select 1) to '/tmp/xcore-attack'`,
  'create extension dblink',
  'create extension plpython3u',
  `load '$libdir/passwordcheck'`,
  'create function c() returns int language c as $$libc$$, $$system$$',
  'create schema mine',
  'create table public.mine ()',
  'create database mine',
  'create tablespace mine location $$/tmp$$',
  `alter system set log_statement = 'none'`,
  'select pg_reload_conf()',
  'select pg_terminate_backend(pid) from pg_stat_activity where usename <> current_user',
  'select * from pg_authid',
  'select * from pg_shadow',
  'select * from pg_statistic',
  'select pg_switch_wal()',
  'checkpoint',
  // XCore's own locks and its door
  `select pg_advisory_lock(hashtextextended('xcore leader maintenance', 0))`,
  `select pg_try_advisory_xact_lock(1)`,
  `select xcore_plugins.apply(gen_random_uuid())`,
  `create function xcore_plugins.apply() returns void language sql as ''`,
  'select xcore.ensure_log_partitions(current_date, current_date)',
  // the same from inside of something
  'do $$ begin execute $q$set role xcore$q$; end $$',
  'do $$ begin reset role; perform * from xcore.jobs; end $$',
]

test('whatever a plugin sends, it reaches neither XCore nor another plugin', async () => {
  await using t = await testDb(plugins, { consume: false })
  const victim = t.db.of(owner('victim'))
  await victim.query('create table secrets (id int primary key, text text)')
  await victim.query(`insert into secrets values (1, 'hidden')`)
  await victim.query(`create function reveal() returns text language sql security definer as 'select text from plugin_victim.secrets'`)
  // Even when the victim gives all it has to everybody: nobody else may enter its schema.
  await victim.query('grant all on secrets to public')
  await victim.query('grant execute on function reveal to public')
  const { engine } = t
  await engine.submit({ plugin: 'shop', action: 'order', payload: { hidden: true }, source: 'plugin' })

  const shop = t.db.of(owner('shop'))
  await shop.query('create table mine (id int)')
  for (const sql of ATTACKS) {
    await assert.rejects(
      shop.query(sql),
      (error: Error & { code: string }) => {
        assert.match(error.code, /^(permission_denied|database_error)$/, sql)
        assert.doesNotMatch(error.message, /hidden/)
        return true
      },
      sql,
    )
  }
  await assert.rejects(
    victim.query('grant usage on schema plugin_victim to public').then(() => shop.query('select * from plugin_victim.secrets')),
  )

  for (const sql of ['reset role', 'reset session authorization', 'set search_path = xcore, pgboss, plugin_victim']) {
    await shop.session(async (session) => {
      await session.query(sql)
      for (const table of ['xcore.jobs', 'plugin_victim.secrets', 'secrets', 'jobs']) {
        await assert.rejects(session.query(`select * from ${table}`), { code: /permission_denied|database_error/ })
      }
    })
  }
  // What others do is not to be seen.
  const seen = await shop.query<{ query: string }>(
    `select query from pg_stat_activity where usename <> current_user and query <> '<insufficient privilege>' and query <> ''`,
  )
  assert.deepEqual(seen, [])
  const stats = await shop.query(`select from pg_stats where schemaname in ('xcore', 'pgboss', 'plugin_victim')`)
  assert.deepEqual(stats, [])
  assert.deepEqual(await victim.query('select * from secrets'), [{ id: 1, text: 'hidden' }])
})

test('a plugin neither hears nor forges what XCore’s processes tell each other', async () => {
  await using t = await testDb(plugins)
  const shop = t.db.of(owner('shop'))
  await shop.session(async (session) => {
    for (const channel of ['xcore_wake', 'xcore_settled', 'xcore_cancelled']) await session.query(`listen ${channel}`)
    const { jobId } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'plugin', awaited: true })
    assert.equal((await t.engine.wait(jobId, 10_000))?.state, 'succeeded')
    await assert.rejects(session.query('select * from xcore.secrets'), { code: 'permission_denied' })
  })
  const [secret] = await t.database.run<{ value: string }>(`select value from xcore.secrets where name = 'notification_channels'`)
  assert.match(secret?.value ?? '', /^[0-9a-f]{32}$/)
  const spy = new Client({ connectionString: t.url })
  await spy.connect()
  try {
    const heard: string[] = []
    const told = Promise.withResolvers<void>()
    spy.on('notification', ({ channel }) => {
      heard.push(channel)
      told.resolve()
    })
    await spy.query(`listen xcore_wake; listen xcore_wake_${secret?.value}`)
    await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'plugin' })
    await told.promise
    assert.ok(heard.every((channel) => channel === `xcore_wake_${secret?.value}`))
  } finally {
    await spy.end()
  }
})

test('the door opens only in the transaction that it was announced for', async () => {
  await using t = await testDb(plugins, { consume: false })
  const shop = t.db.of(owner('shop'))
  await shop.query('select 1')
  const [role] = await t.database.run<{ writer: string }>(`select writer from xcore.plugin_databases where plugin = 'shop'`)
  const announce = (xid: string, by: string) => {
    const id = randomUUID()
    const statements = JSON.stringify([{ text: 'delete from xcore.jobs', params: [], rows: null, label: 'x' }])
    return t.database
      .run(`insert into xcore.plugin_transactions (id, xid, role, statements) values ($1, $2::xid8, $3, $4)`, [id, xid, by, statements])
      .then(() => id)
  }
  await assert.rejects(
    shop.transaction(async (tx) => {
      const [own] = await tx.query<{ xid: string }>('select pg_current_xact_id()::text as xid')
      const id = await announce(String(Number(own?.xid) + 1), role?.writer ?? '')
      await tx.query('select xcore_plugins.apply($1)', [id])
    }),
    { code: 'permission_denied' },
  )
  await assert.rejects(
    shop.transaction(async (tx) => {
      const [own] = await tx.query<{ xid: string }>('select pg_current_xact_id()::text as xid')
      await tx.query('select xcore_plugins.apply($1)', [await announce(own?.xid ?? '', 'somebody else')])
    }),
    { code: 'permission_denied' },
  )
})

test('settings that a role may change for itself do not change what XCore writes in its transaction', async () => {
  await using t = await testDb(plugins, { consume: false })
  const shop = t.db.of(owner('shop'))
  await shop.query(`create function now() returns timestamptz language sql as $$ select timestamptz '1999-01-01' $$`)
  const { stageOf } = await import('../../engine/index.ts')
  let id = ''
  await shop.transaction(async (tx) => {
    for (const sql of [
      'set local search_path = plugin_shop, pg_catalog',
      `set local datestyle = 'SQL, DMY'`,
      `set local timezone = 'Pacific/Kiritimati'`,
      'set local standard_conforming_strings = off',
      'set local transform_null_equals = on',
      'set local synchronous_commit = off',
    ])
      await tx.query(sql)
    const stage = stageOf(tx)
    const runAt = new Date('2030-02-03T04:05:06.789Z')
    id = (await stage?.submit({ plugin: 'shop', action: 'order', payload: { back: '\\d \\\' "' }, source: 'plugin', runAt })) ?? ''
  })
  const [job] = (await t.engine.list({ plugin: 'shop' })).jobs
  assert.equal(job?.id, id)
  assert.deepEqual(job.payload, { back: '\\d \\\' "' })
  assert.equal(job.runAt.toISOString(), '2030-02-03T04:05:06.789Z')
  assert.ok(Math.abs(job.requestedAt.getTime() - Date.now()) < 60_000)
})

test('a plugin that changed its own password is let in again', async () => {
  await using t = await testDb(plugins, { consume: false })
  const shop = t.db.of(owner('shop'))
  await shop.query(`do $$ begin execute format('alter role %I password ''mine''', session_user); end $$`)
  await t.database.run('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', ['xcore plugin shop'])
  await using again = await testDb(plugins, { consume: false, url: t.url })
  assert.deepEqual(await again.db.of(owner('shop')).query('select 1 as one'), [{ one: 1 }])
})

test('without the right to make roles only the db service is refused; with CREATEROLE it works', async () => {
  await using t = await testDb(plugins, { consume: false })
  const admin = new Client({ connectionString: await testServerUrl() })
  await admin.connect()
  const name = `managed_${randomUUID().slice(0, 8)}`
  try {
    await admin.query(`create role ${name} login password 'managed'`)
    const database = new URL(t.url).pathname.slice(1)
    await admin.query(`create database ${name} owner ${name}`)
    await admin.query(`grant connect on database ${database} to ${name}`)
    const url = new URL(t.url)
    url.username = name
    url.password = 'managed'
    url.pathname = `/${name}`
    const { migrate } = await import('../../postgres/migrator.ts')
    const { testLogger } = await import('../../postgres/testing/index.ts')
    await migrate(url.href, { logger: testLogger })
    await using managed = await testDb(plugins, { consume: false, url: url.href })
    const shop = managed.db.of(owner('shop'))
    await assert.rejects(shop.query('select 1'), {
      code: 'database_privilege_missing',
      message: new RegExp(`ALTER ROLE "${name}" CREATEROLE`),
    })
    await managed.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'plugin' })
    await admin.query(`alter role ${name} createrole`)
    await shop.query('create table t (n int)')
    await assert.rejects(shop.query('select * from xcore.jobs'), { code: 'permission_denied' })
    await shop.transaction(async (tx) => tx.query('insert into t values (1)'))
    assert.deepEqual(await shop.query('select n from t'), [{ n: 1 }])
    // Connections can be ended without being a superuser.
    await using short = await testDb(plugins, { consume: false, url: url.href, longestMs: 200 })
    await assert.rejects(
      short.db.of(owner('shop')).transaction(async (tx) => tx.query('select pg_sleep(60)')),
      { message: /ended after 0.2 s/ },
    )
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
  }
})

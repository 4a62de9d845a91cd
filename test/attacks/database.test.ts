import { done, testPlugins } from '../../libs/engine/testing/plugins.ts'
import { testDb } from '../../libs/services/db/testing/db-platform.ts'
import { attempts } from './attempt.ts'
import type { Attempt } from './attempt.ts'
import { suite } from './harness.ts'

const DB = `const db = plugin.getService('db');`
const sql = (list: Readonly<Record<string, string>>): Attempt[] =>
  attempts(
    Object.fromEntries(
      Object.entries(list).map(([name, text]) => [
        name,
        `${DB} const got = await db.query(${JSON.stringify(text)}); return JSON.stringify(got)`,
      ]),
    ),
  )
const code = (list: Readonly<Record<string, string>>): Attempt[] =>
  attempts(Object.fromEntries(Object.entries(list).map(([name, text]) => [name, `${DB} ${text}`])))

suite(
  'the database',
  [
    ...sql({
      'the log of the host': 'select * from xcore.event_log',
      'passwords of the plugins': 'select * from xcore.plugin_databases',
      'the channels of the host': 'select * from xcore.secrets',
      'passwords of the server': 'select rolname, rolpassword from pg_authid',
      'a function that runs as its owner, over the log': `select (select count(*) from (select 1) x, lateral (select query_to_xml('select * from xcore.jobs', true, true, '')) y)`,
      'a program': `copy (select 1) to program 'id'`,
      'a file to read': `copy (select 1) to '/tmp/attack'`,
      pg_read_file: `select pg_read_file('/etc/passwd')`,
      pg_ls_dir: `select pg_ls_dir('/')`,
      lo_import: `select lo_import('/etc/passwd')`,
      'a large object': `select lo_from_bytea(0, 'x')`,
      'a superuser': 'alter role current_user superuser',
      'more connections': 'alter role current_user connection limit -1',
      'more roles': 'grant pg_read_server_files to current_user',
      'a role': 'create role evil login',
      'a language': 'create extension plpython3u',
      'code in C': `create function evil() returns int language c as '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'`,
      'an event trigger': 'create event trigger evil on ddl_command_start execute function suppress_redundant_updates_trigger()',
      'a subscription to a server elsewhere': `create subscription evil connection 'host=127.0.0.1' publication p`,
      'a foreign server': 'create extension postgres_fdw',
      'a schema': 'create schema evil',
      'a database': 'create database evil',
      'a table in public': 'create table public.evil (a int)',
      'its own schema': 'drop schema plugin_attacker cascade',
      'its schema for all': 'grant usage on schema plugin_attacker to public; select 1',
      'an advisory lock': 'select pg_advisory_lock(1) is not null as got',
      'an advisory lock of a transaction': 'select pg_try_advisory_xact_lock(1) as got',
      'the end of other sessions':
        'select pg_terminate_backend(pid) from pg_stat_activity where usename <> current_user and pid <> pg_backend_pid()',
      'settings of the server': `alter system set log_statement = 'all'`,
      'the reload of its settings': 'select pg_reload_conf()',
      'where its files are': 'show data_directory',
      'a statement after another one': 'select 1; select * from xcore.jobs',
      'DO with a program': `do $$ begin execute 'copy (select 1) to program ''id''' ; raise exception 'done'; end $$`,
      'DO as a superuser': `do $$ begin execute format('set local role %I', (select rolname from pg_roles where rolsuper limit 1)); perform count(*) from xcore.jobs; end $$`,
      'an announcement that was never made': `select xcore_plugins.apply('00000000-0000-0000-0000-000000000000')`,
      'an answer of 2 GB': `select repeat('x', 100000000) from generate_series(1, 20)`,
      'an answer of millions of rows': 'select from generate_series(1, 3000000)',
      'an error of 100 MB': `do $$ begin raise exception '%', repeat('x', 100000000); end $$`,
    }),
    ...code({
      'set role': `const [{ name }] = await db.query('select rolname as name from pg_roles where rolsuper limit 1'); return JSON.stringify(await db.query('set role "' + name + '"'))`,
      'set session authorization': `const [{ name }] = await db.query('select rolname as name from pg_roles where rolsuper limit 1'); return JSON.stringify(await db.query('set session authorization "' + name + '"'))`,
      'reset role, and on': `return db.session(async (s) => { await s.query('reset role'); await s.query('reset session authorization'); return JSON.stringify(await s.query('select * from xcore.jobs')) })`,
      'functions of its own by search_path': `await db.query('create or replace function hashtextextended(text, bigint) returns bigint language sql as $$ select 1 $$'); return db.session(async (s) => { await s.query('set search_path = plugin_attacker, pg_catalog, xcore'); return JSON.stringify(await s.query('select * from jobs')) })`,
      'a security definer function': `await db.query('create or replace function sd() returns bigint language sql security definer as $$ select count(*) from xcore.jobs $$'); return JSON.stringify(await db.query('select sd()'))`,
      'tables of its own in place of the host’s, within apply': `return db.session(async (s) => { await s.query('create temporary table plugin_transactions (id uuid, xid xid8, role text, statements jsonb)'); await s.query("insert into plugin_transactions values (gen_random_uuid(), pg_current_xact_id(), current_user, '[]')"); await s.query('set search_path = pg_temp'); return JSON.stringify(await s.query('select xcore_plugins.apply((select id from pg_temp.plugin_transactions))')) })`,
      'a temporary table left behind': `await db.session((s) => s.query('create temporary table left_over (a int)')); for (let n = 0; n < 20; n += 1) { const got = await db.query('select 1 as found from left_over').catch(() => null); if (got) return 'found' }`,
      'a prepared statement left behind': `await Promise.all(Array.from({ length: 8 }, () => db.query('prepare evil as select 1 as found'))); for (let n = 0; n < 20; n += 1) { const got = await db.query('execute evil').catch(() => null); if (got) return 'found' }`,
      'a setting left behind': `await Promise.all(Array.from({ length: 8 }, () => db.query("set application_name = 'evil'"))); for (let n = 0; n < 20; n += 1) { const [{ name }] = await db.query("select current_setting('application_name') as name"); if (name === 'evil') return name }`,
      'a LISTEN left behind': `await Promise.all(Array.from({ length: 8 }, () => db.query('listen evil'))); for (let n = 0; n < 20; n += 1) { const got = await db.query('select pg_listening_channels()'); if (got.length) return 'found' }`,
      'a transaction left open by its own BEGIN': `await Promise.all(Array.from({ length: 8 }, () => db.query('begin'))); for (let n = 0; n < 20; n += 1) { const [{ open }] = await db.query('select now() <> statement_timestamp() and pg_current_xact_id_if_assigned() is not null as open'); if (open) return 'open' }`,
      'COMMIT inside a transaction': `return db.transaction(async (tx) => { await tx.query('/* a */ commit'); return 'committed' })`,
      'COMMIT behind a semicolon': `return db.transaction(async (tx) => { await tx.query(';commit'); return 'committed' })`,
      'COMMIT in a procedure': `await db.query('create or replace procedure done() language plpgsql as $$ begin commit; end $$'); return db.transaction(async (tx) => { await tx.query('call done()'); return 'committed' })`,
      'COMMIT in DO': `return db.transaction(async (tx) => { await tx.query('do $$ begin commit; end $$'); return 'committed' })`,
      'more transactions than it may hold': `const ends = []; const began = Array.from({ length: 100 }, () => db.transaction(() => new Promise((resolve) => ends.push(resolve)))); const code = await Promise.race(began).catch((e) => e.code); for (let n = 0; n < 50; n += 1) { for (const end of ends) end(); await new Promise((r) => setTimeout(r, 10)) } const done = (await Promise.allSettled(began)).filter((e) => e.status === 'fulfilled').length; return (code !== 'rate_limit_exceeded' || done > 20) && 'held ' + done`,
      'a transaction after its end': `let tx; await db.transaction(async (t) => { tx = t }); return JSON.stringify(await tx.query('select 1'))`,
      'a value of a class of its own': `return JSON.stringify(await db.query('select $1::text as a', [{ toPostgres: () => 'x', toJSON() { return { toPostgres: 1 } } }])) === '[{"a":"x"}]' && 'called'`,
    }),
  ],
  {
    manifest: 'permissions: [{resource: "db.plugin_attacker"}]\nresources: {max_memory_mb: 96}\n',
    async host(stack) {
      const { db } = stack.use(await testDb(testPlugins({ shop: { handlers: { order: () => done() } } }), { consume: false }))
      return { databases: db, services: { db: db.of } }
    },
  },
)

-- Each plugin's own schema and roles, and the one door through which XCore writes inside a plugin's transaction
-- (docs/adr: plugin transactions).

-- ── Who a plugin is to Postgres ──────────────────────────────────────────────────────────────────────────────────────
-- Roles belong to the whole server, so their names are random: two XCores on one server never share one. Only the owner of this
-- schema reads the passwords.
create table xcore.plugin_databases (
  plugin          text        primary key,
  schema          text        not null unique,
  writer          text        not null unique,
  writer_password text        not null,
  reader          text        not null unique,
  reader_password text        not null,
  created_at      timestamptz not null default now()
);

-- Which migrations of a plugin have been applied: written in the transaction that applies them, out of the plugin's reach.
create table xcore.plugin_migrations (
  plugin     text        not null,
  name       text        not null,
  sha256     text        not null,
  applied_at timestamptz not null default now(),
  primary key (plugin, name)
);

-- ── The door ─────────────────────────────────────────────────────────────────────────────────────────────────────────
-- What XCore wants written in a certain transaction of a plugin: it says so here, from a connection of its own, and the plugin's
-- connection then has it done by xcore_plugins.apply. Nothing in here outlives a crash of Postgres, nor need it.
create unlogged table xcore.plugin_transactions (
  id         uuid        primary key,
  -- the one transaction in which it may be done, and whose it is
  xid        xid8        not null,
  role       text        not null,
  -- [{text, params: [text | null | [text]], rows: n | null, label}]
  statements jsonb       not null,
  created_at timestamptz not null default now()
);

-- Names of the LISTEN/NOTIFY channels: every role of a database may use every channel whose name it knows.
create table xcore.secrets (
  name  text primary key,
  value text not null
);
insert into xcore.secrets (name, value) values ('notification_channels', replace(gen_random_uuid()::text, '-', ''));

revoke all on schema xcore from public;
revoke all on all tables in schema xcore from public;
revoke all on all functions in schema xcore from public;

create schema xcore_plugins;
revoke all on schema xcore_plugins from public;

-- Does what XCore announced for this very transaction, with XCore's rights, once. A plugin that calls it by itself finds nothing:
-- it cannot write the announcement, and one that is there is for the transaction that XCore is about to commit anyway.
-- The settings are those that a role may change for itself and that would change what the statements mean.
create function xcore_plugins.apply(announcement uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, MDY'
set standard_conforming_strings = on
set transform_null_equals = off
set array_nulls = on
as $$
declare
  work jsonb;
  step jsonb;
  p text[];
  touched bigint;
begin
  delete from xcore.plugin_transactions t
  where t.id = announcement and t.xid = pg_current_xact_id() and t.role = session_user
  returning t.statements into work;
  if work is null then
    raise exception 'nothing is to be applied in this transaction' using errcode = 'insufficient_privilege';
  end if;
  for step in select value from jsonb_array_elements(work) loop
    p := array(
      select case jsonb_typeof(param)
        when 'array' then array(select jsonb_array_elements_text(param))::text
        else param #>> '{}' end
      from jsonb_array_elements(step -> 'params') with ordinality as params(param, nth) order by nth);
    execute step ->> 'text' using p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8];
    get diagnostics touched = row_count;
    if touched <> (step ->> 'rows')::bigint then
      raise exception using errcode = 'XC001', message = step ->> 'label',
        detail = format('expected %s rows, found %s', step ->> 'rows', touched);
    end if;
  end loop;
  -- an outcome that callers hear of must be on disk
  perform set_config('synchronous_commit', 'on', true);
end $$;
revoke all on function xcore_plugins.apply(uuid) from public;

-- One process at a time migrates a plugin: held until the end of the transaction.
create function xcore_plugins.lock_migrations() returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$ select pg_advisory_xact_lock(hashtextextended('xcore plugin migrations ' || session_user, 0)) $$;
revoke all on function xcore_plugins.lock_migrations() from public;

-- Runs a whole file with the caller's own rights. Inside a function Postgres itself refuses COMMIT and its like.
create function xcore_plugins.run(sql text) returns void
language plpgsql security invoker
as $$ begin execute sql; end $$;
revoke all on function xcore_plugins.run(text) from public;

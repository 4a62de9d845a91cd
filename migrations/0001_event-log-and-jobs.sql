-- The event log (the truth), the jobs read model, and what the engine shares between processes.
-- Runs inside one transaction; schema `xcore`.

create schema if not exists xcore;

-- ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Append-only. Ordered reads go by (xid, position) below the oldest running transaction: `position` alone would skip
-- what a late committer wrote (docs/adr/0002-event-log-order.md).
create sequence xcore.event_log_position;

create table xcore.event_log (
  position    bigint      not null default nextval('xcore.event_log_position'),
  xid         xid8        not null default pg_current_xact_id(),
  recorded_at timestamptz not null default now(),
  -- the job or the event that the row tells of
  stream      uuid        not null,
  type        text        not null,
  plugin      text,
  data        jsonb       not null,
  primary key (xid, position, recorded_at),
  check (type in ('job.requested', 'job.succeeded', 'job.attempt_failed', 'job.attempt_lost', 'job.failed', 'job.dead',
                  'job.cancelled', 'event.emitted'))
) partition by range (recorded_at);

create index event_log_stream on xcore.event_log (stream);
create index event_log_recorded on xcore.event_log using brin (recorded_at);

create function xcore.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the event log is append-only: % on % refused', tg_op, tg_table_name using errcode = 'insufficient_privilege';
end $$;

create trigger event_log_immutable before update or delete on xcore.event_log
  for each row execute function xcore.refuse_change();

-- Makes the daily partitions from `first` to `last`; safe when several processes call it at once. TRUNCATE triggers do not
-- propagate from the parent, so each partition gets its own.
create function xcore.ensure_log_partitions(first date, last date) returns int language plpgsql as $$
declare
  day date := first;
  part text;
  made int := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('xcore.event_log.partitions', 0));
  while day <= last loop
    part := 'event_log_' || to_char(day, 'YYYYMMDD');
    if to_regclass('xcore.' || part) is null then
      execute format('create table xcore.%I partition of xcore.event_log for values from (%L) to (%L)',
        part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
      execute format('create trigger %I before truncate on xcore.%I for each statement execute function xcore.refuse_change()',
        part || '_no_truncate', part);
      made := made + 1;
    end if;
    day := day + 1;
  end loop;
  return made;
end $$;

select xcore.ensure_log_partitions((now() at time zone 'UTC')::date - 1, (now() at time zone 'UTC')::date + 7);

-- ── The jobs read model ──────────────────────────────────────────────────────────────────────────────────────────────
-- One row a job, inserted once and updated once when it succeeds at first try. No index holds a column that such an update
-- changes, and half of each page is left free for it, so the update is a heap-only one (measured: 87 % of them, 21 % with a fillfactor
-- of 80, at the same table size); `error_code` changes only for jobs that fail.
create table xcore.jobs (
  id              uuid        primary key,
  kind            text        not null check (kind in ('action', 'event', 'schedule')),
  plugin          text        not null,
  name            text        not null,
  state           text        not null check (state in ('scheduled', 'queued', 'retrying', 'succeeded', 'failed', 'dead', 'cancelled')),
  priority        smallint    not null check (priority between 0 and 100),
  -- attempts that have ended
  attempt         smallint    not null default 0 check (attempt between 0 and max_attempts),
  max_attempts    smallint    not null check (max_attempts >= 1),
  payload         jsonb       not null,
  result          jsonb,
  error           jsonb,
  error_code      text,
  requested_at    timestamptz not null,
  run_at          timestamptz not null,
  started_at      timestamptz,
  finished_at     timestamptz,
  correlation_id  uuid        not null,
  causation_id    uuid,
  replay_of       uuid,
  replay_id       uuid,
  idempotency_key text,
  plugin_version  text        not null,
  meta            jsonb       not null default '{}',
  constraint jobs_finished  check ((finished_at is not null) = (state in ('succeeded', 'failed', 'dead', 'cancelled'))),
  constraint jobs_result    check ((result is not null) = (state = 'succeeded')),
  constraint jobs_error     check (error_code is not distinct from error ->> 'code'),
  constraint jobs_failed    check (state not in ('failed', 'dead') or error is not null)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);

create index jobs_plugin on xcore.jobs (plugin, id);
create index jobs_error_code on xcore.jobs (error_code, id) where error_code is not null;
-- a job that starts a chain has its own id as correlation id, and is found by that
create index jobs_correlation on xcore.jobs (correlation_id, id) where correlation_id <> id;
create index jobs_replay_of on xcore.jobs (replay_of) where replay_of is not null;
create index jobs_replay on xcore.jobs (replay_id, id) where replay_id is not null;

-- Fails a statement, and with it its transaction, that met fewer rows than it had to: how a COMMIT that is already on its way is stopped.
create function xcore.require_rows(present bigint, wanted bigint) returns bigint language plpgsql as $$
begin
  if present <> wanted then
    raise exception 'expected % rows, found %', wanted, present using errcode = 'XC001';
  end if;
  return present;
end $$;

-- ── Shared by all processes ──────────────────────────────────────────────────────────────────────────────────────────
create table xcore.idempotency_keys (
  scope       text        not null,
  key         text        not null,
  -- of the request's body
  fingerprint text        not null,
  -- the job or event it became, and the jobs of that event
  accepted    uuid        not null,
  jobs        uuid[]      not null,
  created_at  timestamptz not null default now(),
  primary key (scope, key)
);
create index idempotency_keys_created on xcore.idempotency_keys using brin (created_at);

create table xcore.subscriptions (
  plugin         text     not null,
  id             text     not null,
  pattern        text     not null,
  priority       smallint not null check (priority between 0 and 100),
  once           boolean  not null,
  max_attempts   smallint not null check (max_attempts >= 1),
  plugin_version text     not null,
  primary key (plugin, id)
);

-- Counts changes of a shared registry, in the transaction that makes them: who caches the registry compares this number.
create table xcore.epochs (
  name  text   primary key,
  value bigint not null
);
insert into xcore.epochs (name, value) values ('subscriptions', 0);

-- GCRA state: the theoretical arrival time of the next call, one row a rate-limited plugin.
create table xcore.rate_limits (
  plugin text        primary key,
  tat    timestamptz not null
);

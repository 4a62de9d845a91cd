-- What plugins keep in `getService('cache')` when there is no Redis, and the schedules of `getService('scheduler')`.

-- Unlogged: a cache may be lost in a crash, so its writes need not wait for the disk. The value is the text of the JSON, so that
-- both adapters give back the same.
create unlogged table xcore.cache (
  plugin     text        not null,
  key        text        not null check (char_length(key) between 1 and 512),
  value      text        not null check (octet_length(value) <= 1048576),
  expires_at timestamptz not null,
  primary key (plugin, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create index cache_expires on xcore.cache (expires_at);

-- The truth of all schedules. What is due is fired by the elected process, which locks the row, puts the job on the queue and moves
-- next_run in one transaction.
create table xcore.schedules (
  plugin         text        not null,
  id             text        not null check (char_length(id) between 1 and 255),
  -- {kind: interval|cron|date, …} with all that tells when it runs
  trigger        jsonb       not null,
  -- arguments of the plugin's function, a list
  args           jsonb       not null default '[]' check (jsonb_typeof(args) = 'array'),
  -- what becomes of firings that were missed
  missed         text        not null check (missed in ('once', 'skip', 'all')),
  jitter_seconds float8      not null check (jitter_seconds >= 0),
  -- the plugin's method by name, where the function is one; how other processes find it
  method         text,
  -- added while the plugin ran, not in its onLoad: stays when the plugin loads without adding it
  at_run_time    boolean     not null,
  priority       smallint    not null check (priority between 0 and 100),
  max_attempts   smallint    not null check (max_attempts >= 1),
  plugin_version text        not null,
  paused         boolean     not null default false,
  -- the firing that comes next by the trigger; null: none
  next_run       timestamptz,
  -- the same plus its jitter
  due_at         timestamptz,
  -- the latest firing by the trigger
  last_run       timestamptz,
  created_at     timestamptz not null,
  primary key (plugin, id),
  check ((next_run is null) = (due_at is null)),
  check (not at_run_time or method is not null)
);
create index schedules_due on xcore.schedules (due_at) where not paused and due_at is not null;

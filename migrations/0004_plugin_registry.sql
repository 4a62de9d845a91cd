-- What processes agree on about plugins: what operators decided, commands and their results, versions and their schemas.
-- Runs inside one transaction; schema `xcore`.

-- The log also keeps what plugins were denied.
alter table xcore.event_log drop constraint event_log_type_check;
alter table xcore.event_log add constraint event_log_type_check
  check (type in ('job.requested', 'job.succeeded', 'job.attempt_failed', 'job.attempt_lost', 'job.failed', 'job.dead',
                  'job.cancelled', 'event.emitted', 'permission.denied'));

-- What an operator decided of a plugin; it holds over restarts. No row: it loads and runs.
create table xcore.plugin_switches (
  plugin     text        primary key,
  unloaded   boolean     not null default false,
  paused     boolean     not null default false,
  changed_at timestamptz not null default now()
);

-- The processes that run plugins. One that was not seen for a while is gone.
create table xcore.plugin_processes (
  id         uuid        primary key,
  role       text        not null,
  -- host/pid
  name       text        not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at    timestamptz not null default clock_timestamp()
);

-- Asked of every process, answered by each.
create table xcore.plugin_commands (
  id           uuid        primary key,
  plugin       text        not null,
  command      text        not null check (command in ('load', 'reload', 'unload', 'pause', 'resume')),
  -- not now(): commands are written one at a time, and this is their order
  requested_at timestamptz not null default clock_timestamp()
);
create index plugin_commands_requested on xcore.plugin_commands (requested_at);

create table xcore.plugin_command_results (
  command     uuid        not null references xcore.plugin_commands on delete cascade,
  process     uuid        not null,
  state       text        not null,
  version     text,
  error       jsonb,
  finished_at timestamptz not null default now(),
  primary key (command, process)
);

-- What each version of a plugin declared, to find breaking changes later. `actions` is a list of {name, input, output?}.
create table xcore.plugin_versions (
  plugin     text        not null,
  version    text        not null,
  manifest   jsonb       not null,
  actions    jsonb       not null,
  first_seen timestamptz not null default now(),
  primary key (plugin, version)
);

-- For queues that live outside of this database.

-- The plugins that have a queue, declared by the processes that serve or call them.
create table xcore.queues (
  plugin      text        primary key,
  declared_at timestamptz not null default now()
);

-- Jobs that had not finished a few seconds after they were requested. Together with what was requested since, these are all live
-- jobs: found without an index on xcore.jobs, which would cost every settle its heap-only update.
create table xcore.queue_watch (
  job_id uuid primary key,
  plugin text not null
) with (autovacuum_vacuum_scale_factor = 0.05);

-- Up to which request the jobs table has been looked through for them.
create table xcore.queue_marks (
  name   text primary key,
  job_id uuid not null
);

-- Which plugins' jobs a worker process runs, in which version, and the actions it declares: {NAME: {version, actions}}.
-- A row that is not renewed is of a process that has gone.
create table xcore.workers (
  worker  text        primary key,
  plugins jsonb       not null,
  seen_at timestamptz not null default now()
);

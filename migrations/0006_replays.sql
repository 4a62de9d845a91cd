-- Replays: single ones live in the log alone; bulk ones have a row here, and a row per item.

-- ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Wider than before, so what is stored fits already: no scan of history.
alter table xcore.event_log drop constraint event_log_type_check;
alter table xcore.event_log add constraint event_log_type_check
  check (type in ('job.requested', 'job.succeeded', 'job.attempt_failed', 'job.attempt_lost', 'job.failed', 'job.dead',
                  'job.cancelled', 'job.payload_edited', 'event.emitted', 'permission.denied', 'replay.requested', 'replay.changed')) not valid;

-- ── The jobs read model ──────────────────────────────────────────────────────────────────────────────────────────────
-- root: the first job of a chain of replays; null for a job that replays none.
-- error_fingerprint: groups failures; null while a job has no error, so a job that succeeds at first try pays nothing for its index.
alter table xcore.jobs
  add column root uuid,
  add column error_fingerprint text,
  add constraint jobs_root check ((root is null) = (replay_of is null)),
  add constraint jobs_error_fingerprint check (error_fingerprint is null or error is not null);

-- the chain of a root holds every replay of its jobs
drop index xcore.jobs_replay_of;
create index jobs_root on xcore.jobs (root, id) where root is not null;
create index jobs_error_fingerprint on xcore.jobs (error_fingerprint, id) where error_fingerprint is not null;

-- ── Bulk replays ─────────────────────────────────────────────────────────────────────────────────────────────────────
create table xcore.replays (
  id               uuid        primary key,
  name             text        not null,
  reason           text        not null,
  actor            text        not null,
  -- what is repeated: jobs, or the deliveries of events
  kind             text        not null check (kind in ('jobs', 'events')),
  -- as it was frozen at the start: all times absolute
  filter           jsonb       not null,
  -- of events: {"to": "all"} or {"to": {"plugin": …, "subscription": …}}
  receivers        jsonb,
  -- {"payload": …} that takes the place of every job's own; null: each keeps its own
  edited           jsonb,
  force            boolean     not null,
  priority         smallint    not null check (priority between 0 and 100),
  rate_per_second  float8      check (rate_per_second > 0),
  stop_at_failures float8      check (stop_at_failures between 0 and 1),
  state            text        not null check (state in ('running', 'paused', 'completed', 'cancelled', 'stopped')),
  -- matched when it was started
  total            int         not null check (total >= 0),
  looked_at        int         not null default 0,
  enqueued         int         not null default 0,
  left_out         jsonb       not null default '{}',
  -- the last item looked at; null: none yet
  cursor           text,
  -- when the last item had been looked at
  selected_at      timestamptz,
  created_at       timestamptz not null,
  finished_at      timestamptz,
  -- when the last of its jobs had finished: from then on `outcome` holds the counts
  settled_at       timestamptz,
  outcome          jsonb,
  constraint replays_finished check ((finished_at is not null) = (state in ('completed', 'cancelled', 'stopped'))),
  constraint replays_settled  check ((settled_at is not null) = (outcome is not null)),
  constraint replays_counts   check (enqueued >= 0 and looked_at >= 0)
);

-- Two operators who start the same at once: one of them is told.
create unique index replays_name on xcore.replays (name) where state in ('running', 'paused');
create index replays_unsettled on xcore.replays (id) where settled_at is null;

-- Written in the transaction that puts the job on the queue and holds the row of its replay: an item is never enqueued twice.
-- No foreign key: each insert would look up the row that its transaction has locked anyway.
create table xcore.replay_items (
  replay_id uuid not null,
  -- the job or event that is repeated
  item      uuid not null,
  -- of events: PLUGIN/SUBSCRIPTION
  receiver  text not null default '',
  -- the job that it became; null: it was left out
  job_id    uuid,
  left_out  text,
  primary key (replay_id, item, receiver),
  check ((job_id is null) = (left_out is not null))
);

-- Attempts that were interrupted through no fault of their job. Wider than before, so what is stored fits already: no scan of history.
alter table xcore.event_log drop constraint event_log_type_check;
alter table xcore.event_log add constraint event_log_type_check
  check (type in ('job.requested', 'job.succeeded', 'job.attempt_failed', 'job.attempt_lost', 'job.attempt_interrupted', 'job.failed',
                  'job.dead', 'job.cancelled', 'job.payload_edited', 'event.emitted', 'permission.denied', 'replay.requested',
                  'replay.changed')) not valid;

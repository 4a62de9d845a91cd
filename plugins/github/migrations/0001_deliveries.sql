-- What has been taken already: GitHub sends a delivery again when somebody presses "Redeliver", days later as well.
create table deliveries (
  id          text        primary key,
  -- set before the transaction that takes it commits
  event_id    uuid,
  received_at timestamptz not null default now()
);
create index deliveries_received on deliveries using brin (received_at);

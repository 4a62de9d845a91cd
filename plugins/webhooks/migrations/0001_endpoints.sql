create table endpoints (
  id         text    primary key,
  -- the order in which they were added
  nth        bigint  not null generated always as identity,
  url        text    not null,
  events     text[]  not null,
  -- null: derived from the plugin's own secret
  secret     text,
  -- gets what is emitted from then on; replacing it does not change that
  added_at   timestamptz not null,
  -- comes from plugin.yaml, and goes with it
  configured boolean not null default false
);

-- What secrets are derived from when WEBHOOKS_SECRET is not set: made once, the same in every process and after every start.
create table master_secret (
  one    boolean primary key default true check (one),
  secret text    not null
);

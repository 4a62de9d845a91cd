create table rules (
  id text primary key,
  pattern text not null,
  code text not null,
  name text not null,
  made_at timestamptz not null default now()
);

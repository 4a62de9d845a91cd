create table items (
  id     text   primary key,
  -- the order in which they were made
  nth    bigint not null generated always as identity,
  fields jsonb  not null
);

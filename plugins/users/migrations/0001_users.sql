create table users (
  id       text     primary key,
  -- the order in which they were made
  nth      bigint   not null generated always as identity,
  username text     not null,
  email    text     not null,
  age      smallint not null check (age between 0 and 150)
);

-- Unique whatever the case. The plugin knows them by these names.
create unique index users_username on users (lower(username));
create unique index users_email on users (lower(email));

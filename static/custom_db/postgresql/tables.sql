-- What the scripts read and write. With a table of your own, change their statements instead.
CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL,
  email_verified boolean NOT NULL DEFAULT false,
  password_hash text,          -- bcrypt
  nickname text,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- One user for an address, however it is written; and what makes looking somebody up quick.
CREATE UNIQUE INDEX users_email ON users (lower(email));

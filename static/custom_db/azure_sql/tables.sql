-- What the scripts read and write. With a table of your own, change their statements instead.
CREATE TABLE dbo.users (
  id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
  -- Always in lower case, and compared byte by byte: to other collations jose and josé can be one.
  email nvarchar(254) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT users_email UNIQUE,
  email_verified bit NOT NULL DEFAULT 0,
  password_hash varchar(60) COLLATE Latin1_General_BIN2 NULL,  -- bcrypt
  nickname nvarchar(300) NULL,
  created_at datetime2 NOT NULL DEFAULT SYSUTCDATETIME()
);

-- What the scripts read and write. With a table of your own, change their statements instead.
CREATE TABLE users (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- Always in lower case, and compared byte by byte: to other collations jose and josé are one.
  email varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  email_verified tinyint(1) NOT NULL DEFAULT 0,
  password_hash varchar(60) CHARACTER SET ascii COLLATE ascii_bin,  -- bcrypt
  nickname varchar(300) CHARACTER SET utf8mb4,
  created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE KEY users_email (email)
) ENGINE = InnoDB;

-- What an administrator has in an application's database.
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION pg_stat_statements;
GRANT USAGE ON SCHEMA ext TO app;
CREATE SCHEMA audit AUTHORIZATION admin;
CREATE TABLE audit.seen (x int);
ALTER TABLE audit.seen OWNER TO admin;
INSERT INTO audit.seen VALUES (1), (2);
CREATE TABLE theirs (x int);
ALTER TABLE theirs OWNER TO admin;
INSERT INTO theirs VALUES (5);
GRANT SELECT ON theirs TO app;
GRANT CREATE ON SCHEMA public TO app;

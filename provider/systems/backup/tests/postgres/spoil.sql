-- What an application that went wrong leaves behind.
DELETE FROM billing.invoices; DELETE FROM orders WHERE id > 10; ALTER TABLE orders DROP COLUMN note CASCADE;
CREATE TABLE surplus (id int); CREATE SCHEMA later; DROP FUNCTION twice CASCADE; CREATE TABLE later.t (x int); INSERT INTO later.t VALUES (1);
UPDATE alembic_version SET version_num = '0009';  DROP TABLE events_2024; SELECT lo_unlink(oid) FROM pg_largeobject_metadata; SELECT lo_from_bytea(0,'newer');
INSERT INTO events VALUES ('2031-01-01', 1, 'new');

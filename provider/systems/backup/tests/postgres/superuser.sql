-- What only an administrator can make.
CREATE EXTENSION citext; CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere');
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere;
CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
CREATE FOREIGN DATA WRAPPER bare;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION watch();
CREATE OPERATOR FAMILY fam USING btree;
CREATE OPERATOR CLASS oc FOR TYPE int4 USING btree FAMILY fam AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int4, int4);
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE TABLE emails (address citext); INSERT INTO emails VALUES ('A@b'), ('c@d');

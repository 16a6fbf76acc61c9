"""What images.toml promises about every image, kept with a real PostgreSQL."""

import time
import unittest
from subprocess import PIPE, Popen

from tests.support import APP, IMAGE_USER, PASSWORD, PASSWORD_IN_URL, Image, Postgres, as_user, images

BASE = ["0001_accounts", "0002_decisions", "0003_positions"]
HEADS = {
    "1.0.0": "0003_positions",
    "1.1.0": "0004_feedback",
    "1.2.0-bad-migration": "0006_broker_reference",
    "1.2.0-bad-autocommit": "0006_instrument_venue",
    "1.2.0-bad-ready": "0005_risk_limits",
    "1.3.0-irreversible": "0006_drop_prompts",
    "1.3.0-pass": "0006_stop_loss",
}


def setUpModule():
    global postgres
    postgres = Postgres()


def tearDownModule():
    postgres.remove()


class Images(unittest.TestCase):
    def image(self, tag):
        image = Image(tag)
        self.addCleanup(image.remove)
        return image

    def at(self, tag):
        """A new database as an image leaves it; returns its name and URL."""
        name = postgres.new_database()
        self.succeeds(self.image(tag).alembic("upgrade", "head", url=postgres.url(name)))
        return name, postgres.url(name)

    def succeeds(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.unseen(done)
        return done

    def fails(self, done, *words):
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout + done.stderr)
        self.unseen(done)

    def unseen(self, done):
        for secret in (PASSWORD, PASSWORD_IN_URL):
            self.assertNotIn(secret, done.stdout + done.stderr)

    def revision(self, name):
        return [row[0] for row in postgres.sql(name, "SELECT version_num FROM alembic_version")]

    def columns(self, name, table):
        rows = postgres.sql(name, f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'")
        return {row[0] for row in rows}

    def test_the_list_is_complete(self):
        known, _ = images()
        self.assertEqual(set(known), set(HEADS))
        used = {revision for image in known.values() for revision in image["revisions"]}
        self.assertEqual(used, {path.name for path in (APP / "alembic/versions").glob("*.py")})
        for tag, image in known.items():
            self.assertEqual(image["env"]["APP_VERSION"], tag)
            self.assertEqual([name.removesuffix(".py") for name in image["revisions"]][:3], BASE)

    def test_every_image_has_one_head_and_needs_no_database_to_say_so(self):
        for tag, head in HEADS.items():
            with self.subTest(tag):
                image = self.image(tag)
                self.assertEqual(self.succeeds(image.alembic("heads")).stdout.split()[0], head)
                history = self.succeeds(image.alembic("history")).stdout
                self.assertEqual(len(history.strip().splitlines()), len(image.image["revisions"]))
                self.assertFalse((image.root / "tests").exists())

    def test_good_images_go_up_and_down(self):
        for tag in ("1.0.0", "1.1.0", "1.2.0-bad-ready"):
            with self.subTest(tag):
                image = self.image(tag)
                name = postgres.new_database()
                url = postgres.url(name)
                self.assertEqual(self.succeeds(image.alembic("current", url=url)).stdout.strip(), "")
                self.succeeds(image.alembic("upgrade", "head", url=url))
                self.assertIn(f"{HEADS[tag]} (head)", self.succeeds(image.alembic("current", url=url)).stdout)
                self.succeeds(image.alembic("upgrade", "head", url=url))
                self.succeeds(image.alembic("downgrade", "base", url=url))
                left = postgres.sql(name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
                self.assertEqual(left, [("alembic_version",)])
                self.assertEqual(self.revision(name), [])

    def test_a_new_release_goes_back_to_the_old_revision(self):
        name, url = self.at("1.0.0")
        image = self.image("1.1.0")
        self.succeeds(image.alembic("upgrade", "head", url=url))
        self.assertEqual(self.revision(name), ["0004_feedback"])
        self.succeeds(image.alembic("downgrade", "0003_positions", url=url))
        self.assertEqual(self.revision(name), ["0003_positions"])
        self.assertNotIn("provider", self.columns(name, "decisions"))

    def test_bad_migration_fails_after_one_revision_has_committed(self):
        name, url = self.at("1.1.0")
        image = self.image("1.2.0-bad-migration")
        self.fails(image.alembic("upgrade", "head", url=url), "NotNullViolation", "broker_reference")
        self.assertEqual(self.revision(name), ["0005_risk_limits"])
        self.assertTrue(self.columns(name, "risk_limits"))
        self.assertFalse(self.columns(name, "account_audit"), "the failed revision was not rolled back")
        self.fails(image.alembic("upgrade", "head", url=url), "NotNullViolation")
        self.succeeds(image.alembic("downgrade", "0004_feedback", url=url))
        self.assertEqual(self.revision(name), ["0004_feedback"])
        self.assertFalse(self.columns(name, "risk_limits"))

    def test_bad_migration_fails_on_an_empty_database_too(self):
        name = postgres.new_database()
        image = self.image("1.2.0-bad-migration")
        self.fails(image.alembic("upgrade", "head", url=postgres.url(name)), "NotNullViolation")
        self.assertEqual(self.revision(name), ["0005_risk_limits"])

    def test_bad_autocommit_leaves_half_of_a_revision(self):
        name, url = self.at("1.1.0")
        image = self.image("1.2.0-bad-autocommit")
        self.fails(image.alembic("upgrade", "head", url=url), "UniqueViolation", "instruments_by_venue")
        self.assertEqual(self.revision(name), ["0005_risk_limits"])
        self.assertIn("venue", self.columns(name, "instruments"))
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'instruments_by_venue'::regclass"
        self.assertEqual(postgres.sql(name, valid), [(False,)])
        self.fails(image.alembic("upgrade", "head", url=url), "DuplicateColumn")

    def test_irreversible_goes_up_and_refuses_to_come_down(self):
        name, url = self.at("1.1.0")
        image = self.image("1.3.0-irreversible")
        self.succeeds(image.alembic("upgrade", "head", url=url))
        self.assertNotIn("prompt", self.columns(name, "decisions"))
        self.fails(image.alembic("downgrade", "0004_feedback", url=url), "NotImplementedError", "restore a backup")
        self.assertEqual(self.revision(name), ["0006_drop_prompts"])

    def test_pass_comes_down_and_leaves_the_schema(self):
        name, url = self.at("1.1.0")
        image = self.image("1.3.0-pass")
        self.succeeds(image.alembic("upgrade", "head", url=url))
        self.succeeds(image.alembic("downgrade", "0004_feedback", url=url))
        self.assertEqual(self.revision(name), ["0004_feedback"])
        self.assertIn("stop_loss", self.columns(name, "positions"))
        self.fails(image.alembic("upgrade", "head", url=url), "DuplicateColumn", "stop_loss")

    def test_every_spelling_of_the_url(self):
        image = self.image("1.0.0")
        for scheme in ("postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg"):
            with self.subTest(scheme):
                url = postgres.url(postgres.new_database(), scheme)
                self.succeeds(image.alembic("upgrade", "head", url=url))

    def test_a_bad_url_is_explained_and_not_repeated(self):
        image = self.image("1.0.0")
        self.fails(image.alembic("current"), "DATABASE_URL is not set")
        for bad in (f"postgresql://ffe:{PASSWORD}@127.0.0.1/x", "postgresql://h:x/y", f"mysql://ffe:{PASSWORD_IN_URL}@h/x", PASSWORD):
            done = image.alembic("current", url=bad)
            self.fails(done, "FAILED: DATABASE_URL")
            self.assertNotIn("nary", done.stdout + done.stderr)
        nobody = f"postgresql://ffe:{PASSWORD_IN_URL}@127.0.0.1:1/x"
        self.fails(image.alembic("upgrade", "head", url=nobody), "FAILED: the database cannot be reached", "refused")

    def test_a_lock_is_not_waited_for_for_long(self):
        image = self.image("1.1.0")
        ways = ({"LOCK_TIMEOUT": "200ms"}, {"PGOPTIONS": "-c lock_timeout=200ms"}, None)
        for way in ways:
            with self.subTest(way):
                name, url = self.at("1.0.0")
                holder = postgres.connect(name)
                self.addCleanup(holder.close)
                holder.autocommit = False
                holder.cursor().execute("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE")
                if way is None:
                    done = image.alembic("-x", "lock_timeout=200ms", "upgrade", "head", url=url)
                else:
                    done = image.alembic("upgrade", "head", url=url, **way)
                self.fails(done, "LockNotAvailable", "lock timeout")
                holder.rollback()
                self.assertEqual(self.revision(name), ["0003_positions"])
                self.succeeds(image.alembic("upgrade", "head", url=url))

    def test_several_at_once_migrate_once(self):
        image = self.image("1.1.0")
        name = postgres.new_database()
        running = [
            Popen([*as_user(IMAGE_USER), "alembic", "upgrade", "head"], cwd=image.root, stderr=PIPE, text=True,
                  env=image.environment(postgres.url(name)))
            for _ in range(3)
        ]
        logs = [process.communicate(timeout=120)[1] for process in running]
        self.assertEqual([process.returncode for process in running], [0, 0, 0], logs)
        self.assertEqual(sum("Running upgrade" in log for log in logs), 1, logs)
        self.assertEqual(self.revision(name), ["0004_feedback"])

    def test_current_does_not_wait_for_a_running_migration(self):
        name, url = self.at("1.0.0")
        holder = postgres.connect(name)
        self.addCleanup(holder.close)
        holder.cursor().execute("SELECT pg_advisory_lock(%s)", (0x6666656D69677274,))
        image = self.image("1.1.0")
        self.assertIn("0003_positions", self.succeeds(image.alembic("current", url=url)).stdout)
        waiting = Popen([*as_user(IMAGE_USER), "alembic", "upgrade", "head"], cwd=image.root, stderr=PIPE, text=True,
                        env=image.environment(url))
        seen = "SELECT count(*) FROM pg_stat_activity WHERE datname = %r AND query LIKE %r"
        while not postgres.sql(name, seen % (name, "%pg_try_advisory_lock%"))[0][0] > 1:
            time.sleep(0.1)
        self.assertEqual(self.revision(name), ["0003_positions"])
        holder.cursor().execute("SELECT pg_advisory_unlock_all()")
        _, log = waiting.communicate(timeout=60)
        self.assertEqual(waiting.returncode, 0, log)
        self.assertEqual(self.revision(name), ["0004_feedback"])

    def test_the_statements_can_be_printed(self):
        printed = self.succeeds(self.image("1.1.0").alembic("upgrade", "0003_positions:head", "--sql")).stdout
        self.assertIn("CREATE TABLE feedback", printed)
        self.assertNotIn("CREATE TABLE positions", printed)


if __name__ == "__main__":
    unittest.main()

"""The application's answers, from the image's own command, with a real PostgreSQL."""

import concurrent.futures
import time
import unittest

from tests.support import KEY, PASSWORD, PASSWORD_IN_URL, PYTHON, Image, Postgres, Server

STATUS = "/api/v1/bot/status"


def setUpModule():
    global postgres
    postgres = Postgres()


def tearDownModule():
    postgres.remove()


class Http(unittest.TestCase):
    def image(self, tag):
        image = Image(tag)
        self.addCleanup(image.remove)
        return image

    def migrated(self, tag):
        """An image, and the URL of a database that it migrated."""
        image = self.image(tag)
        name = postgres.new_database()
        done = image.alembic("upgrade", "head", url=postgres.url(name))
        self.assertEqual(done.returncode, 0, done.stderr)
        return image, name, postgres.url(name)

    def serve(self, image, url, **more):
        server = self.enterContext(Server(image, url, **more))
        self.addCleanup(self.without_secrets, server)
        return server

    def without_secrets(self, server):
        for secret in (PASSWORD, PASSWORD_IN_URL, KEY):
            self.assertNotIn(secret, server.output())

    def test_health_and_status_of_a_migrated_database(self):
        image, name, url = self.migrated("1.0.0")
        server = self.serve(image, url, API_KEY=KEY)
        status, body, _ = server.get("/health")
        self.assertEqual(status, 200)
        wanted = {"status": "ok", "database": "healthy", "version": "1.0.0", "schema_revision": "0003_positions"}
        self.assertEqual(body, wanted)
        self.assertEqual(server.get("/ready")[0], 200)

        status, body, _ = server.get(STATUS, Authorization=f"Bearer {KEY}")
        self.assertEqual(status, 200)
        self.assertEqual(body["rows"], {"accounts": 1, "decisions": 0, "instruments": 3, "positions": 0})
        self.assertIsNone(body["last_decision_at"])
        postgres.sql(
            name,
            "WITH decided AS (INSERT INTO decisions (account_id, instrument_id, action, confidence)"
            " VALUES (1, 1, 'BUY', 80) RETURNING id)"
            " INSERT INTO positions (account_id, instrument_id, decision_id, quantity, entry_price)"
            " SELECT 1, 1, id, 0.5, 64000 FROM decided",
        )
        _, body, _ = server.get(STATUS, Authorization=f"bearer {KEY}")
        self.assertEqual((body["decisions"], body["open_positions"], body["status"]), (1, 1, "running"))
        self.assertIsNotNone(body["last_decision_at"])

    def test_the_key_is_needed(self):
        image, _, url = self.migrated("1.0.0")
        server = self.serve(image, url, API_KEY=KEY)
        wrong = ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": KEY},
                 {"Authorization": f"Basic {KEY}"}, {"Authorization": "Bearer \xe9"}, {"Authorization": f"Bearer {KEY}x"})
        for headers in wrong:
            with self.subTest(headers):
                status, body, answered = server.get(STATUS, **headers)
                self.assertEqual((status, answered["WWW-Authenticate"]), (401, "Bearer"))
                self.assertEqual(list(body), ["detail"])

    def test_without_a_configured_key_nobody_passes(self):
        image, _, url = self.migrated("1.0.0")
        server = self.serve(image, url)
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
            self.assertEqual(server.get(STATUS, **headers)[0], 401)
        self.assertIn("API_KEY is not set", server.output())

    def test_a_database_that_was_not_migrated(self):
        image = self.image("1.0.0")
        server = self.serve(image, postgres.url(postgres.new_database()), API_KEY=KEY)
        status, body, _ = server.get("/health")
        self.assertEqual((status, body["schema_revision"]), (200, None))
        self.assertEqual(server.get("/ready")[0], 200)
        status, body, _ = server.get(STATUS, Authorization=f"Bearer {KEY}")
        self.assertEqual(status, 503)
        self.assertIn("accounts", body["detail"])

    def test_strict_wants_the_images_own_revision(self):
        _, name, url = self.migrated("1.0.0")
        newer = self.image("1.1.0")
        server = self.serve(newer, url, STRICT_SCHEMA="1")
        status, body, _ = server.get("/ready")
        self.assertEqual(status, 503)
        self.assertEqual(
            (body["database_revision"], body["image_revision"]), ("0003_positions", "0004_feedback")
        )
        self.assertIn("0003_positions", body["reason"])
        self.assertIn("0004_feedback", body["reason"])
        self.assertEqual(server.get("/health")[0], 200)
        self.assertEqual(newer.alembic("upgrade", "head", url=url).returncode, 0)
        self.assertEqual(server.get("/ready")[0], 200)
        self.assertIn("not ready: the database is at revision 0003_positions", server.output())
        # The old image, strict, is not ready from the migration on; and is again after the way back.
        old = self.serve(self.image("1.0.0"), url, STRICT_SCHEMA="1")
        self.assertEqual(old.get("/ready")[0], 503)
        self.assertEqual(newer.alembic("downgrade", "0003_positions", url=url).returncode, 0)
        self.assertEqual(old.get("/ready")[0], 200)

    def test_strict_with_an_empty_database(self):
        server = self.serve(self.image("1.0.0"), postgres.url(postgres.new_database()), STRICT_SCHEMA="1")
        status, body, _ = server.get("/ready")
        self.assertEqual((status, body["database_revision"]), (503, None))
        self.assertIn("none", body["reason"])

    def test_an_old_image_serves_the_newer_schema(self):
        old = self.image("1.0.0")
        for tag in ("1.1.0", "1.3.0-irreversible", "1.3.0-pass"):
            with self.subTest(tag):
                _, _, url = self.migrated(tag)
                with Server(old, url, API_KEY=KEY) as server:
                    self.assertEqual(server.get(STATUS, Authorization=f"Bearer {KEY}")[0], 200)
                    self.assertEqual(server.get("/ready")[0], 200)

    def test_bad_ready_is_healthy_and_never_ready(self):
        image, _, url = self.migrated("1.2.0-bad-ready")
        server = self.serve(image, url)
        self.assertEqual(server.get("/health")[0], 200)
        for _ in range(3):
            status, body, _ = server.get("/ready")
            self.assertEqual(status, 503)
            self.assertIn("market data", body["reason"])
        self.assertEqual(server.output().count("not ready:"), 1)

    def test_a_database_that_goes_and_comes_back(self):
        own = Postgres()
        self.addCleanup(own.remove)
        image = self.image("1.0.0")
        url = own.url(own.new_database())
        self.assertEqual(image.alembic("upgrade", "head", url=url).returncode, 0)
        server = self.serve(image, url, API_KEY=KEY)
        self.assertEqual(server.get("/health")[0], 200)
        own.stop()
        for path, headers in (("/health", {}), ("/ready", {}), (STATUS, {"Authorization": f"Bearer {KEY}"})):
            self.assertEqual(server.get(path, **headers)[0], 503, path)
        self.assertEqual(server.get("/health")[1]["database"], "unhealthy")
        self.assertEqual(server.get("/live")[0], 200)
        own.start()
        self.assertEqual(server.get("/health")[0], 200)
        self.assertEqual(server.get("/ready")[0], 200)
        output = server.output()
        self.assertIn("WARNING ffe", output)
        self.assertIn("unhealthy: over", output)

    def test_without_a_url_it_lives_and_says_why_it_is_unhealthy(self):
        server = self.serve(self.image("1.0.0"), None)
        self.assertEqual(server.get("/health")[0], 503)
        self.assertEqual(server.get("/ready")[0], 503)
        self.assertIn("DATABASE_URL is not set", server.output())

    def test_four_workers_within_their_pools(self):
        image, name, url = self.migrated("1.1.0")
        server = self.serve(image, url, workers=4, API_KEY=KEY, DB_POOL_SIZE="2")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(server.get, STATUS, Authorization=f"Bearer {KEY}") for _ in range(100)]
            self.assertEqual({answer.result()[0] for answer in asked}, {200})
        self.assertIn(self.sessions(name), range(1, 9))
        deadline = time.monotonic() + 60
        while server.output().count("version 1.1.0") < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(server.output().count("version 1.1.0"), 4)
        server.__exit__()
        self.assertEqual(server.process.returncode, 0)

    def test_first_requests_that_come_together_share_one_pool(self):
        image, name, url = self.migrated("1.0.0")
        server = self.serve(image, url, DB_POOL_SIZE="1")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(server.get, ["/health"] * 20))
        self.assertEqual(self.sessions(name), 1)

    def sessions(self, name):
        """How many connections the application holds."""
        question = "SELECT count(*) FROM pg_stat_activity WHERE datname = %r AND application_name = 'ffe-backend'"
        return postgres.sql(name, question % name)[0][0]

    def test_security_headers_on_demand(self):
        image = self.image("1.0.0")
        with Server(image, None, SECURITY_HEADERS="1") as server:
            self.assertEqual(server.get("/live")[2]["X-Content-Type-Options"], "nosniff")
        with Server(image, None) as server:
            self.assertIsNone(server.get("/live")[2]["X-Content-Type-Options"])

    def test_probes_are_not_logged_and_other_requests_are(self):
        server = self.serve(self.image("1.0.0"), None)
        server.get("/live")
        server.get(STATUS)
        self.assertNotIn("GET /live", server.output())
        self.assertEqual(server.output().count(f"GET {STATUS}"), 1)
        self.assertEqual(server.output().count("Application startup complete"), 1)

    def test_secrets_from_files(self):
        image, _, url = self.migrated("1.0.0")
        folder = image.folder
        folder.chmod(0o755)
        for name, content in (("url", url), ("key", KEY)):
            (folder / name).write_text(content + "\n")
            (folder / name).chmod(0o444)
        server = self.serve(image, None, DATABASE_URL_FILE=str(folder / "url"), API_KEY_FILE=str(folder / "key"))
        self.assertEqual(server.get(STATUS, Authorization=f"Bearer {KEY}")[0], 200)


class Waiting(unittest.TestCase):
    def wait(self, *arguments, url=None, **environment):
        image = Image("1.0.0")
        self.addCleanup(image.remove)
        done = image.run(PYTHON, "-m", "wait_for_database", *arguments, url=url, **environment)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return done

    def test_a_database_that_answers(self):
        done = self.wait(url=postgres.url("postgres"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("database answers", done.stdout)

    def test_nobody_there(self):
        done = self.wait("--timeout", "0.3", "--interval", "0.1", url="postgresql://ffe:x@127.0.0.1:1/x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Connection refused", done.stderr.splitlines()[-1])
        self.assertEqual(done.stderr.count("waiting for the database"), 1)

    def test_a_wrong_password_is_named(self):
        url = postgres.url("postgres").replace("ffe:", "ffe:not-", 1)
        done = self.wait("--timeout", "0.3", "--interval", "0.1", url=url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("password authentication failed", done.stderr)

    def test_settings_that_waiting_cannot_help(self):
        for environment, words in (({}, "DATABASE_URL is not set"), ({"STRICT_SCHEMA": "maybe"}, "STRICT_SCHEMA"),
                                   ({"DB_POOL_SIZE": "0"}, "DB_POOL_SIZE"), ({"LOG_LEVEL": "loud"}, "LOG_LEVEL")):
            done = self.wait("--timeout", "60", **environment)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()

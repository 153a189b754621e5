"""A store that cannot be used gives a clear error and is left as it was, byte for byte."""
import os
import sqlite3

import harness


@harness.as_root_and_user
class Store:
    def setUp(self):
        super().setUp()
        self.path = self.stage.app("hello")

    @property
    def database(self):
        return os.path.join(self.stage.state_directory, "state.db")

    def make_store(self):
        """A store as a first run leaves it."""
        self.assertEqual(self.stage.up(self.path).stop(), 0)

    def write(self, content):
        self.stage.make_directory("state/flylocal")
        with open(self.database, "wb") as file:
            file.write(content)
        self.stage.account.own(self.database)

    def content(self):
        with open(self.database, "rb") as file:
            return file.read()

    def change(self, statement):
        with sqlite3.connect(self.database) as connection:
            connection.execute(statement)
        connection.close()
        self.stage.account.own(self.database)

    def assert_refused(self, *texts):
        before, names = self.content(), sorted(os.listdir(self.stage.state_directory))
        for command in ("up", "check"):
            done = self.stage.flylocal(command, self.path)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            for text in (self.database, *texts):
                self.assertIn(text, done.stderr)
            self.assertTrue(self.content() == before, f"{command} changed the store")
        self.assertEqual([name for name in sorted(os.listdir(self.stage.state_directory)) if name != "lock"],
                         [name for name in names if name != "lock"])

    def test_a_file_that_is_no_database(self):
        self.write(b"this is not a database, it is a text\n" * 500)
        self.assert_refused("damaged", "mv ")

    def test_a_database_whose_pages_are_damaged(self):
        self.make_store()
        content = bytearray(self.content())
        self.assertGreater(len(content), 4096)
        # The header stays; the first table's page and all behind it are noise.
        for at in range(100, len(content)):
            content[at] = (at * 37) & 0xff
        self.write(bytes(content))
        self.assert_refused()

    def test_a_store_of_a_newer_schema(self):
        self.make_store()
        self.change("PRAGMA user_version = 99")
        self.assert_refused("newer flylocal", "99")

    def test_another_programs_database(self):
        self.stage.make_directory("state/flylocal")
        self.change("CREATE TABLE bookmarks (url TEXT)")
        self.assert_refused("another program")

    def test_another_programs_database_by_its_application_id(self):
        self.stage.make_directory("state/flylocal")
        self.change("PRAGMA application_id = 42")
        self.assert_refused("another program")

    def test_an_empty_file_is_a_new_store(self):
        self.write(b"")
        up = self.stage.up(self.path)
        self.assertEqual(up.machine()["state"], "started")

    def test_a_store_that_another_program_holds(self):
        self.make_store()
        connection = sqlite3.connect(self.database, isolation_level=None)
        self.addCleanup(connection.close)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        done = self.stage.flylocal("up", self.path)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("in use by another program", done.stderr)

    def test_a_state_directory_that_cannot_be_made(self):
        with open(os.path.join(self.stage.directory, "file"), "w"):
            pass
        done = self.stage.flylocal("up", self.path, env={"XDG_STATE_HOME": os.path.join(self.stage.directory, "file")})
        self.assertEqual(done.returncode, 2)
        self.assertIn("XDG_STATE_HOME", done.stderr)

    def test_no_place_for_the_state(self):
        done = self.stage.flylocal("up", self.path, env={"XDG_STATE_HOME": None, "HOME": None})
        self.assertEqual(done.returncode, 2)
        self.assertIn("XDG_STATE_HOME", done.stderr)

    def test_home_is_the_place_without_xdg_state_home(self):
        self.assert_ok(self.stage.flylocal("check", self.path, env={"XDG_STATE_HOME": None}))
        self.assertTrue(os.path.exists(os.path.join(self.stage.home, ".local/state/flylocal/state.db")))

    def test_the_state_is_for_its_owner_alone(self):
        up = self.stage.up(self.path)
        self.assertEqual(os.stat(self.stage.state_directory).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(self.stage.control_socket).st_mode & 0o777, 0o600)
        self.assertEqual(up.stop(), 0)

    def test_a_second_sandbox_is_refused_and_told_what_runs(self):
        up = self.stage.up(self.path)
        for words in (("up", self.path), ("up", self.stage.app("other")), ("check", self.stage.app("other"))):
            done = self.stage.flylocal(*words)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn("already running", done.stderr)
            self.assertIn(f"pid {up.pid}", done.stderr)
            self.assertIn("hello", done.stderr)
            self.assertIn("flylocal down", done.stderr)
        self.assertEqual(up.machine()["state"], "started")

    def test_another_state_home_is_another_sandbox(self):
        self.stage.up(self.path)
        done = self.stage.flylocal("check", self.path, env={"XDG_STATE_HOME": self.stage.make_directory("other")})
        self.assert_ok(done)


if __name__ == "__main__":
    harness.main()

#include "flylocal/project/load.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/temporary_directory.hpp"

using namespace flylocal;
using namespace flylocal::project;
using flylocal::tests::TemporaryDirectory;

namespace {

using Words = std::vector<std::string>;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// A project's directory, file by file.
class Project {
 public:
  Project& file(const std::string& name, std::string_view text) {
    directory_.write(name, text);
    return *this;
  }
  const std::filesystem::path& path() const { return directory_.path(); }

  LoadedProject load(const LoadOptions& options = {}) const { return load_project(path(), options); }
  /// What a project without problems is.
  AppSpec app(const LoadOptions& options = {}) const {
    LoadedProject loaded = load(options);
    INFO(joined(loaded.problems));
    REQUIRE(loaded.problems.empty());
    REQUIRE(loaded.app.has_value());
    return std::move(*loaded.app);
  }
  /// What is wrong with a project that cannot be used.
  std::vector<std::string> problems(const LoadOptions& options = {}) const {
    LoadedProject loaded = load(options);
    CHECK_FALSE(loaded.app.has_value());
    REQUIRE_FALSE(loaded.problems.empty());
    return loaded.problems;
  }

 private:
  TemporaryDirectory directory_;
};

constexpr const char* kTwoGroups =
    "app = \"shop\"\nprimary_region = \"lhr\"\n[processes]\nweb = \"sh web.sh\"\nworker = \"sh worker.sh\"\n"
    "[http_service]\ninternal_port = 3000\nprocesses = [\"web\"]\n";

std::vector<std::pair<std::string, int>> placements(const AppSpec& app, const std::string& group) {
  std::vector<std::pair<std::string, int>> result;
  for (const Placement& placement : app.groups.at(group).placements) result.emplace_back(placement.region, placement.count);
  return result;
}

using Placements = std::vector<std::pair<std::string, int>>;

}  // namespace

TEST_CASE("fly.toml alone: one machine a process group in the primary region") {
  Project project;
  project.file("fly.toml", kTwoGroups);
  const AppSpec app = project.app();
  CHECK(app.name == "shop");
  CHECK(app.directory == std::filesystem::canonical(project.path()));
  CHECK(app.organization == "personal");
  CHECK(app.network == "default");
  CHECK(app.primary_region == "lhr");
  CHECK(app.secrets.empty());
  CHECK(app.host_ports.empty());
  REQUIRE(app.groups.size() == 2);
  CHECK(placements(app, "web") == Placements{{"lhr", 1}});
  CHECK(placements(app, "worker") == Placements{{"lhr", 1}});
  CHECK(app.groups.at("web").launch.argv == Words{"sh", "web.sh"});
  CHECK(app.groups.at("worker").launch.argv == Words{"sh", "worker.sh"});
  CHECK(app.groups.at("web").launch.working_directory == app.directory);
  REQUIRE(app.groups.at("web").config.services.size() == 1);
  CHECK(app.groups.at("web").config.services[0].internal_port == 3000);
  CHECK(app.groups.at("worker").config.services.empty());
}

TEST_CASE("a project without a primary region gets a real one") {
  Project project;
  project.file("fly.toml", "app = \"a\"\n[processes]\napp = \"sh x\"\n");
  const AppSpec app = project.app();
  CHECK(app.primary_region == "iad");
  CHECK(placements(app, "app") == Placements{{"iad", 1}});
}

TEST_CASE("a Dockerfile says what to run where fly.toml does not") {
  Project project;
  project.file("fly.toml", "app = \"a\"\n[env]\nCOLOUR = \"blue\"\n")
      .file("Dockerfile", "FROM debian\nWORKDIR /app\nENV COLOUR=red SHAPE=round\nCOPY . .\nCMD [\"sh\", \"server.sh\"]\n")
      .file("server.sh", "");
  const AppSpec app = project.app();
  const GroupSpec& group = app.groups.at("app");
  CHECK(group.launch.argv == Words{"sh", "server.sh"});
  CHECK(group.launch.working_directory == app.directory);
  CHECK_THAT(group.launch.source, Catch::Contains("Dockerfile line 5"));
  std::map<std::string, std::string> image;
  for (const auto& variable : group.launch.env) image[variable.name] = variable.value;
  CHECK(image.at("COLOUR") == "red");
  CHECK(image.at("SHAPE") == "round");
  CHECK(group.config.env.at("COLOUR") == "blue");
}

TEST_CASE("[build] chooses the Dockerfile, its target and its arguments") {
  Project project;
  project
      .file("fly.toml", "app = \"a\"\n[build]\ndockerfile = \"deploy/web.Dockerfile\"\nbuild-target = \"run\"\n[build.args]\nSCRIPT = \"chosen\"\n")
      .file("Dockerfile", "FROM debian\nCMD [\"sh\", \"wrong\"]\n")
      .file("deploy/web.Dockerfile", "FROM debian AS run\nARG SCRIPT=default\nENV SCRIPT=$SCRIPT\nCMD [\"sh\", \"right\"]\nFROM debian\nCMD [\"sh\", \"last\"]\n");
  const AppSpec app = project.app();
  const GroupSpec& group = app.groups.at("app");
  CHECK(group.launch.argv == Words{"sh", "right"});
  CHECK_THAT(group.launch.source, Catch::Contains("deploy/web.Dockerfile line 4"));
  CHECK(std::any_of(group.launch.env.begin(), group.launch.env.end(),
                    [](const auto& variable) { return variable.name == "SCRIPT" && variable.value == "chosen"; }));
}

TEST_CASE("a Dockerfile behind a URL is said to be left out") {
  Project project;
  project.file("fly.toml", "app = \"a\"\n[build]\ndockerfile = \"https://example.com/Dockerfile\"\n[processes]\napp = \"sh x\"\n");
  const LoadedProject loaded = project.load();
  CHECK(loaded.app.has_value());
  CHECK_THAT(joined(loaded.notes), Catch::Contains("https://example.com/Dockerfile"));
}

TEST_CASE("--cmd runs where fly.toml says nothing") {
  Project project;
  project.file("fly.toml", "app = \"a\"\n").file("Dockerfile", "FROM debian\nCMD [\"sh\", \"image\"]\n");
  LoadOptions options;
  options.command = "sh typed";
  CHECK(project.app(options).groups.at("app").launch.argv == Words{"sh", "typed"});
}

TEST_CASE("--config reads another file for the same directory") {
  Project project;
  project.file("fly.toml", "app = \"first\"\n[processes]\napp = \"sh x\"\n").file("fly.staging.toml", "app = \"second\"\n[processes]\napp = \"sh x\"\n");
  LoadOptions options;
  options.config_file = (project.path() / "fly.staging.toml").string();
  const AppSpec app = project.app(options);
  CHECK(app.name == "second");
  CHECK(app.directory == std::filesystem::canonical(project.path()));
}

TEST_CASE("flylocal.toml says how many machines run where") {
  struct Case {
    const char* name;
    const char* machines;
    Placements web, worker;
  };
  const Case cases[] = {
      {"none mentioned", "", {{"lhr", 1}}, {{"lhr", 1}}},
      {"one group", "[[machines]]\ngroup = \"worker\"\ncount = 3\n", {{"lhr", 1}}, {{"lhr", 3}}},
      {"the default group", "[[machines]]\ncount = 2\nregion = \"syd\"\n", {{"syd", 2}}, {{"lhr", 1}}},
      {"two regions", "[[machines]]\ngroup = \"web\"\ncount = 2\n[[machines]]\ngroup = \"web\"\nregion = \"nrt\"\ncount = 1\n", {{"lhr", 2}, {"nrt", 1}}, {{"lhr", 1}}},
      {"none wanted", "[[machines]]\ngroup = \"worker\"\ncount = 0\n", {{"lhr", 1}}, {}},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    Project project;
    project.file("fly.toml", kTwoGroups).file("flylocal.toml", c.machines);
    const AppSpec app = project.app();
    CHECK(placements(app, "web") == c.web);
    CHECK(placements(app, "worker") == c.worker);
  }
}

TEST_CASE("flylocal.toml's other keys reach the app, and its commands go before all others") {
  Project project;
  project.file("fly.toml", kTwoGroups)
      .file("flylocal.toml",
            "organization = \"acme\"\nnetwork = \"staging\"\nsecrets_file = \"local/.env\"\ndomains = [\"shop.example\"]\n[env]\nLOCAL = \"yes\"\n"
            "[ports]\n80 = 9080\n443 = 15432\n[commands]\nweb = [\"sh\", \"-c\", \"a b\"]\n[[expect]]\n6pn = 9090\n[[expect]]\n6pn = 9091\n[dns]\nreverse = true\n")
      .file("local/.env", "# secrets\nPASSWORD=hunter2\nexport KEY=\"a b\"\n");
  const AppSpec app = project.app();
  CHECK(app.organization == "acme");
  CHECK(app.network == "staging");
  CHECK(app.local_env == std::map<std::string, std::string>{{"LOCAL", "yes"}});
  CHECK(app.host_ports == std::map<std::uint16_t, std::uint16_t>{{80, 9080}, {443, 15432}});
  CHECK(app.six_pn_ports == std::vector<std::uint16_t>{9090, 9091});
  CHECK(app.domains == Words{"shop.example"});
  CHECK(app.dns.reverse_names == true);
  CHECK_FALSE(app.dns.order.has_value());
  CHECK(app.secrets == std::map<std::string, std::string>{{"PASSWORD", "hunter2"}, {"KEY", "a b"}});
  CHECK(app.groups.at("web").launch.argv == Words{"sh", "-c", "a b"});
  CHECK_THAT(app.groups.at("web").launch.source, Catch::Contains("flylocal.toml line 11"));
  CHECK(app.groups.at("worker").launch.argv == Words{"sh", "worker.sh"});
}

TEST_CASE("a release command is not run, and how to run it is said") {
  Project project;
  project.file("fly.toml", std::string(kTwoGroups) + "[deploy]\nrelease_command = \"sh migrate.sh\"\n");
  const LoadedProject loaded = project.load();
  CHECK(loaded.app.has_value());
  CHECK_THAT(joined(loaded.notes), Catch::Contains("release_command") && Catch::Contains("sh migrate.sh") && Catch::Contains("flylocal ssh console -a shop"));
}

TEST_CASE("the problems of all files come at once, each with its file and line") {
  SECTION("fly.toml and flylocal.toml") {
    Project project;
    project.file("fly.toml", "app = \"a\"\n[http_service]\ninternal_port = 80000\nforce_https = 3\n").file("flylocal.toml", "network = 7\n\nmachine = 2\n");
    const std::vector<std::string> problems = project.problems();
    CHECK(problems.size() == 4);
    const std::string text = joined(problems);
    CHECK_THAT(text, Catch::Contains("fly.toml:3:") && Catch::Contains("fly.toml:4:"));
    CHECK_THAT(text, Catch::Contains("flylocal.toml:1:") && Catch::Contains("flylocal.toml:3:"));
  }
  SECTION("flylocal.toml and Dockerfile") {
    Project project;
    project.file("fly.toml", "app = \"a\"\n").file("flylocal.toml", "network = 7\n").file("Dockerfile", "FROM debian\nCMD [\"sh\"]\nWORKDIR\nFROBNICATE x\n");
    const std::string text = joined(project.problems());
    CHECK_THAT(text, Catch::Contains("flylocal.toml:1:"));
    CHECK_THAT(text, Catch::Contains("Dockerfile:3") && Catch::Contains("Dockerfile:4"));
  }
  SECTION("every process group and the secrets file") {
    Project project;
    project.file("fly.toml", "app = \"a\"\n[processes]\none = \"no-such-program-1\"\ntwo = \"no-such-program-2\"\n").file("flylocal.toml", "secrets_file = \"missing.env\"\n");
    const std::string text = joined(project.problems());
    CHECK_THAT(text, Catch::Contains("no-such-program-1") && Catch::Contains("no-such-program-2") && Catch::Contains("missing.env"));
  }
}

TEST_CASE("a process group that flylocal.toml names and fly.toml does not have is a problem with its line") {
  Project project;
  project.file("fly.toml", kTwoGroups)
      .file("flylocal.toml", "[[machines]]\ngroup = \"wbe\"\ncount = 2\n\n[commands]\nworkers = [\"sh\"]\nweb = [\"sh\"]\n");
  const std::vector<std::string> problems = project.problems();
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0], Catch::Contains("/flylocal.toml:2: machines.group: ") && Catch::Contains("\"wbe\"") && Catch::Contains("web, worker; did you mean web?"));
  CHECK_THAT(problems[1], Catch::Contains("/flylocal.toml:6: commands: ") && Catch::Contains("\"workers\"") && Catch::Contains("did you mean worker?"));
}

TEST_CASE("a port that flylocal.toml maps and no service has is a problem with its line") {
  Project project;
  project.file("fly.toml", kTwoGroups).file("flylocal.toml", "[ports]\n80 = 9080\n8080 = 9081\n");
  const std::vector<std::string> problems = project.problems();
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Catch::Contains("/flylocal.toml:3: ports.8080: ") && Catch::Contains("80, 443"));
}

TEST_CASE("a secrets file that cannot be read is a mistake in the line that names it") {
  Project project;
  project.file("fly.toml", kTwoGroups).file("flylocal.toml", "\nsecrets_file = \"missing.env\"\n");
  const std::vector<std::string> problems = project.problems();
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Catch::Contains("/flylocal.toml:2: secrets_file: missing.env: no such file"));
}

TEST_CASE("an internal_port that the Dockerfile does not expose is worth a word") {
  const std::string fly_toml = "app = \"a\"\n[http_service]\ninternal_port = 8080\n";
  for (const auto& [expose, said] : {std::pair("EXPOSE 3000 4000-4010\n", true), {"EXPOSE 8080\n", false}, {"EXPOSE 8000-9000\n", false}, {"", false}}) {
    INFO(expose);
    Project project;
    project.file("fly.toml", fly_toml).file("Dockerfile", std::string("FROM scratch\n") + expose + "CMD [\"sh\"]\n");
    CHECK((joined(project.load().notes).find("internal_port is 8080, and the Dockerfile EXPOSEs 3000, 4000-4010") != std::string::npos) == said);
  }
}

TEST_CASE("where nothing says what to run, the three ways to say it are shown") {
  Project project;
  project.file("fly.toml", "app = \"a\"\n");
  const std::string text = joined(project.problems());
  CHECK_THAT(text, Catch::Contains("[processes]") && Catch::Contains("Dockerfile") && Catch::Contains("--cmd"));
}

TEST_CASE("a directory or a file that is not there is named") {
  Project project;
  CHECK_THAT(joined(project.problems()), Catch::Contains("fly.toml") && Catch::Contains("no such file"));
  const LoadedProject missing = load_project(project.path() / "missing", {});
  CHECK_FALSE(missing.app.has_value());
  CHECK_THAT(joined(missing.problems), Catch::Contains((project.path() / "missing").string()));
  project.file("file", "");
  CHECK_THAT(joined(load_project(project.path() / "file", {}).problems), Catch::Contains("not a directory"));
  project.file("fly.toml", "app = \"a\"\n[build]\ndockerfile = \"missing.Dockerfile\"\n");
  CHECK_THAT(joined(project.problems()), Catch::Contains("missing.Dockerfile"));
}

TEST_CASE("a warning does not stop a project") {
  Project project;
  project.file("fly.toml", std::string(kTwoGroups) + "[[mounts]]\nsource = \"data\"\ndestination = \"/data\"\nprocesses = [\"nobody\"]\n");
  const LoadedProject loaded = project.load();
  INFO(joined(loaded.problems));
  CHECK(loaded.app.has_value());
  CHECK_THAT(joined(loaded.notes), Catch::Contains("nobody"));
}

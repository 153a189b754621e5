#include <catch2/catch.hpp>

#include "flylocal/launch/dockerfile.hpp"
#include "flylocal/launch/launch_plan.hpp"
#include "tests/unit/launch/fake_host.hpp"

using namespace flylocal::launch;

namespace {

using Words = std::vector<std::string>;

/// A Dockerfile out of data/ on a host, launched as `flylocal up` would.
struct Project {
  explicit Project(const std::string& name) {
    DockerfileReading reading = load_dockerfile(std::string(TEST_DATA) + "/" + name + ".Dockerfile");
    INFO(render(reading.problems));
    REQUIRE(reading.image.has_value());
    inputs.image = std::move(reading.image);
    inputs.project_directory = "/proj";
    inputs.host_path = "/usr/bin:/bin";
    host.program("/bin/sh");
  }

  LaunchPlan plan() const {
    const auto result = plan_launch(inputs, host);
    INFO((result.has_error() ? result.error().message : ""));
    REQUIRE(result.has_value());
    return *result;
  }

  std::string failure() const {
    const auto result = plan_launch(inputs, host);
    REQUIRE(result.has_error());
    return result.error().message;
  }

  LaunchInputs inputs;
  FakeHost host;
};

std::string notes(const LaunchPlan& plan) {
  std::string text;
  for (const std::string& note : plan.notes) text += note + "\n";
  return text;
}

std::string env_of(const LaunchPlan& plan, std::string_view name) {
  for (const ImageVariable& each : plan.env) {
    if (each.name == name) return each.value;
  }
  return "(not set)";
}

}  // namespace

TEST_CASE("Node: the entrypoint script of the project runs npm in the project directory") {
  Project project("node");
  project.host.program("/usr/bin/npm").file("/proj/package.json").program("/proj/docker-entrypoint.js");
  const LaunchPlan plan = project.plan();
  CHECK(plan.argv == Words{"/proj/docker-entrypoint.js", "npm", "run", "start"});
  CHECK(plan.program == "/proj/docker-entrypoint.js");
  CHECK(plan.working_directory == "/proj");
  CHECK(env_of(plan, "NODE_ENV") == "production");
  CHECK(plan.source == "Dockerfile line 24: ENTRYPOINT + Dockerfile line 25: CMD");
  CHECK_THAT(notes(plan), Catch::Contains("line 4: the base image node:20.11.0-slim is not pulled"));
  project.inputs.process_command = "npm run worker";
  CHECK(project.plan().argv == Words{"/proj/docker-entrypoint.js", "npm", "run", "worker"});
}

TEST_CASE("Node with a build stage: what was built on the host runs, else the error says to build") {
  Project project("node_dist");
  project.host.program("/usr/bin/node").file("/proj/package.json").file("/proj/src/server.ts");
  project.host.directory("/proj/node_modules");
  const std::string message = project.failure();
  CHECK_THAT(message, Catch::Contains("Dockerfile line 18: CMD: dist/server.js is not on this host"));
  CHECK_THAT(message, Catch::Contains("line 13 (COPY --from=build /src/dist ./dist)"));
  project.host.file("/proj/dist/server.js");
  const LaunchPlan plan = project.plan();
  CHECK(plan.argv == Words{"node", "--enable-source-maps", "dist/server.js"});
  CHECK(plan.working_directory == "/proj");
  CHECK(env_of(plan, "PORT") == "8080");
  CHECK(plan.user.empty());
  CHECK_THAT(notes(plan), Catch::Contains("USER node is not a user of this host"));
}

TEST_CASE("Python: gunicorn from the host's PATH, with the configuration file of the project") {
  Project project("python");
  project.host.file("/proj/requirements.txt").file("/proj/gunicorn.conf.py");
  CHECK_THAT(project.failure(), Catch::Contains("gunicorn: not found in PATH (/usr/bin:/bin)"));
  project.host.program("/usr/bin/gunicorn");
  const LaunchPlan plan = project.plan();
  CHECK(plan.argv == Words{"gunicorn", "--bind", ":8000", "--workers", "2", "--config",
                           "/proj/gunicorn.conf.py", "shop.wsgi"});
  CHECK(plan.working_directory == "/proj");
  CHECK(env_of(plan, "PYTHONPATH") == "/proj");
  CHECK(env_of(plan, "PYTHONDONTWRITEBYTECODE") == "1");
  CHECK(env_of(plan, "PATH") == "/usr/bin:/bin");
}

TEST_CASE("Go: a program that only a build stage makes is an error that names the COPY --from") {
  Project project("go");
  project.host.file("/proj/main.go").file("/proj/go.mod");
  const std::string message = project.failure();
  CHECK_THAT(message, Catch::StartsWith("Dockerfile line 12: CMD: run-app: not found in PATH"));
  CHECK_THAT(message,
             Catch::Contains("line 11 (COPY --from=builder /run-app /usr/local/bin/), out of a build stage"));
  CHECK_THAT(message, Catch::Contains("[commands] app = \"...\" in flylocal.toml, or --cmd \"...\""));
  project.inputs.command_option = "go run .";
  project.host.program("/usr/bin/go");
  CHECK(project.plan().working_directory == "/proj");
}

TEST_CASE(
    "Rails: entrypoint and command through the build stage, and the bundle's path is said to be absent") {
  Project project("rails");
  project.host.file("/proj/Gemfile").program("/proj/bin/rails").program("/proj/bin/docker-entrypoint");
  const LaunchPlan plan = project.plan();
  CHECK(plan.argv == Words{"/proj/bin/docker-entrypoint", "./bin/rails", "server"});
  CHECK(plan.working_directory == "/proj");
  CHECK(env_of(plan, "RAILS_ENV") == "production");
  CHECK_THAT(notes(plan),
             Catch::Contains("ENV BUNDLE_PATH=/usr/local/bundle names a path that is not on this host"));
  CHECK_THAT(
      notes(plan),
      Catch::Contains("line 17: COPY --from=build /usr/local/bundle /usr/local/bundle: nothing of it"));
  CHECK_THAT(notes(plan), Catch::Contains("line 21: USER rails:rails is not a user of this host"));
}

TEST_CASE("Elixir: a release that was made on the host is found through the builder's WORKDIR") {
  Project project("elixir");
  project.host.file("/proj/mix.exs").file("/proj/lib/hello.ex").user("nobody");
  CHECK_THAT(project.failure(),
             Catch::Contains("/app/bin/server is not on this host. In the image it comes from "
                             "Dockerfile line 21 (COPY --from=builder"));
  project.host.program("/proj/_build/prod/rel/hello/bin/server");
  const LaunchPlan plan = project.plan();
  CHECK(plan.argv == Words{"/proj/_build/prod/rel/hello/bin/server"});
  CHECK(plan.working_directory == "/proj/_build/prod/rel/hello");
  CHECK(plan.user == "nobody");
  CHECK(env_of(plan, "LANG") == "en_US.UTF-8");
}

TEST_CASE("nginx: the command of the base image is not guessed") {
  Project project("nginx");
  project.host.program("/usr/bin/nginx");
  CHECK_THAT(project.failure(),
             Catch::Contains("Dockerfile has neither ENTRYPOINT nor CMD, and those of its base image "
                             "nginx:1.25-alpine (line 1) are not known here"));
  CHECK(project.inputs.image->exposed.size() == 1);
}

TEST_CASE("C++: a binary out of the build tree is the one that was built on the host") {
  Project project("cpp");
  project.host.file("/proj/CMakeLists.txt");
  CHECK_THAT(project.failure(),
             Catch::Contains("/server is not on this host. In the image it comes from Dockerfile line "
                             "8 (COPY --from=build /src/build/server /server)"));
  project.host.program("/proj/build/server");
  const LaunchPlan plan = project.plan();
  CHECK(plan.argv == Words{"/proj/build/server", "--port=8080"});
  CHECK(project.inputs.image->exposed.size() == 2);
  project.inputs.process_command = "--worker";
  CHECK(project.plan().argv == Words{"/proj/build/server", "--port=8080", "--worker"});
}

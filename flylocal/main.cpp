#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <exception>

#include "flylocal/cli/command_line.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("flylocal"));
  spdlog::set_pattern("flylocal: %l: %v");
  const char* level = std::getenv("FLYLOCAL_LOG");
  spdlog::set_level(spdlog::level::from_str(level ? level : "warn"));
  try {
    return flylocal::cli::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    flylocal::cli::complain(error.what());
    return flylocal::cli::kCannotRun;
  }
}

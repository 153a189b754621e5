#include "flylocal/cli/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "flylocal/cli/certs.hpp"
#include "flylocal/cli/check.hpp"
#include "flylocal/cli/completion.hpp"
#include "flylocal/cli/config_commands.hpp"
#include "flylocal/cli/console.hpp"
#include "flylocal/cli/dig.hpp"
#include "flylocal/cli/dns_log.hpp"
#include "flylocal/cli/doctor.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/explain.hpp"
#include "flylocal/cli/forward.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/requests.hpp"
#include "flylocal/cli/sandbox_commands.hpp"
#include "flylocal/cli/test.hpp"
#include "flylocal/cli/up.hpp"
#include "flylocal/cli/version.hpp"
#include "flylocal/config/closest_name.hpp"

namespace flylocal::cli {
namespace {

constexpr const char* kAbout =
    "flylocal runs Fly.io apps on this machine: each Machine in network namespaces of its own, behind a local\n"
    "Fly Proxy, with .internal DNS and the 6PN network, and tells whether each app binds where Fly.io will look.\n\n"
    "  flylocal up                    run the app of this directory\n"
    "  flylocal check                 run it, report, stop: exit 0 all well, 1 bind problem, 2 cannot run\n"
    "  flylocal test -- npm test      run it, run a command against it, stop\n"
    "  flylocal logs -f               follow its output\n"
    "  flylocal ssh console           a shell inside a machine\n"
    "  flylocal doctor                what this host allows, and the way out of what it forbids";

constexpr const char* kAboutHttpProbe = "Only connect to the programs, and send them no requests";

/// The commands of the program. Each option struct lives as long as the parse.
class Program {
 public:
  Program() : app_(kAbout, "flylocal") {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", fmt::format("flylocal {}", kVersion));
    add_up();
    add_machines();
    add_inspection();
    add_requests();
    add_network();
    add_project();
    add_own();
  }

  int run(int argc, char** argv) {
    if (auto code = check_command_words(argc, argv)) return *code;
    // What is behind "--" is another program's command line.
    constexpr std::string_view kTest = "test";
    if (argc > 1 && argv[1] == kTest) {
      char** const dashes = std::find_if(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--"; });
      if (dashes != argv + argc) test_.command.assign(dashes + 1, argv + argc);
      argc = static_cast<int>(dashes - argv);
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& wanted) {
      return app_.exit(wanted);
    } catch (const CLI::ParseError& error) {
      complain(fmt::format("{}; `{} --help` shows what it takes", error.what(), chosen_command()));
      return kCannotRun;
    }
    return command_();
  }

 private:
  /// The command that the parser had come to, in words.
  std::string chosen_command() const {
    std::string words = "flylocal";
    for (const CLI::App* at = &app_; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      words += " " + at->get_name();
    }
    return words;
  }

  /// Whether a command takes words of its own next to its subcommands.
  static bool takes_words(const CLI::App& command) {
    const auto options = command.get_options();
    return std::any_of(options.begin(), options.end(), [](const CLI::Option* option) { return option->get_positional(); });
  }

  /// Says what is wrong with the words before the first option, where CLI11 would only say that a subcommand is missing.
  std::optional<int> check_command_words(int argc, char** argv) {
    const CLI::App* at = &app_;
    for (int i = 1; i <= argc; ++i) {
      const auto subs = at->get_subcommands([](const CLI::App*) { return true; });
      if (subs.empty()) return std::nullopt;
      const bool words_will_do = takes_words(*at);
      if (words_will_do && i == argc) return std::nullopt;
      if (i == argc) {
        fmt::print(stderr, "{}", at->help(at == &app_ ? "" : "flylocal"));
        return kCannotRun;
      }
      const std::string_view word = argv[i];
      if (word.starts_with("-")) return std::nullopt;
      const CLI::App* next = nullptr;
      std::vector<std::string> names;
      for (const CLI::App* sub : subs) {
        names.push_back(sub->get_name());
        if (sub->check_name(std::string(word))) next = sub;
      }
      if (!next && words_will_do) return std::nullopt;
      if (!next) {
        const std::vector<std::string_view> views(names.begin(), names.end());
        const std::string_view meant = config::closest_name(word, views);
        complain(fmt::format("unknown command {}{}", word, meant.empty() ? fmt::format("; known: {}", fmt::join(names, ", ")) : fmt::format("; did you mean {}?", meant)));
        return kCannotRun;
      }
      at = next;
    }
    return std::nullopt;
  }

  CLI::App* command(CLI::App& parent, const std::string& name, const std::string& about, std::function<int()> run) {
    CLI::App* sub = parent.add_subcommand(name, about);
    // The parser calls back the innermost command first.
    sub->callback([this, sub, run = std::move(run)] {
      if (sub->get_subcommands().empty()) command_ = run;
    });
    return sub;
  }
  CLI::App* group(const std::string& name, const std::string& about) {
    CLI::App* sub = app_.add_subcommand(name, about);
    sub->require_subcommand(1);
    return sub;
  }
  void add_projects(CLI::App* sub, ProjectOptions& options) {
    sub->add_option("DIR", options.directories, "Project directories with a fly.toml each; several apps share one sandbox (default: .)");
    sub->add_option("--cmd", options.command, "What the machines run, where fly.toml does not say");
    sub->add_option("-c,--config", options.config_file, "Another file than fly.toml");
    sub->add_option("--expect", options.expect, "What other machines must reach over 6PN, e.g. 6pn:5432; may be given several times")->allow_extra_args(false)->take_all();
    sub->add_option("--dns", options.dns_servers, "Ask this name server for names outside instead of the host's; may be given several times")->allow_extra_args(false)->take_all();
    sub->add_option("--dns-order", options.dns_order, "The order of several addresses in an answer: fixed (default) or random");
    sub->add_flag("--faithful-errors", options.faithful_errors, "Leave the proxy's own error answers without a body, as Fly.io does");
    sub->add_option("--proxy-threads", options.proxy_threads, fmt::format("Threads of the proxy, 1 to {}: more of them for load tests (default: 1)", kMostProxyThreads))
        ->check(CLI::Range(std::size_t{1}, kMostProxyThreads))
        ->option_text("COUNT");
    sub->add_flag("--ptr", options.reverse_names, "Give 6PN addresses reverse names, which Fly.io does not");
  }
  void add_report(CLI::App* sub, ReportOptions& options) {
    sub->add_option("--format", options.formats, fmt::format("The report's form: {}; FORM=FILE writes a file; may be given several times", fmt::join(report::form_names(), ", ")))
        ->allow_extra_args(false)
        ->take_all();
    sub->add_flag("--json", options.json, "The same as --format json");
    sub->add_option("--timeout", options.time_limit, "How long slow servers may take (default: the longest grace_period, at least 15s)");
    sub->add_option("--settle", options.settle, "How long a good answer must stay good: some servers listen, fail and exit (default: 3s)");
    sub->add_flag("--no-http-probe", options.no_http_probe, kAboutHttpProbe);
  }

  void add_up() {
    CLI::App* up_command = command(app_, "up", "Run the app of this directory, or several apps together", [this] { return up(up_); });
    add_projects(up_command, up_.projects);
    up_command->add_option("--edge-region", up_.projects.edge_region, "The region whose edge takes this host's clients (default: the primary region)");
    up_command->add_option("--autostop-interval", up_.projects.autostop_interval, "From one autostop pass to the next, e.g. 30s; 0: only by `flylocal tick` (default: 5m)");
    up_command->add_flag("-d,--detach", up_.detach, "Go on in the background once the machines run");
    up_command->add_flag("--no-http-probe", up_.no_http_probe, kAboutHttpProbe);
    CLI::App* check_command = command(app_, "check", "Run, report how every service is reachable, stop: exit 0 all well, 1 bind problem, 2 cannot run",
                                      [this] { return check(check_); });
    add_projects(check_command, check_.projects);
    add_report(check_command, check_.report);
    CLI::App* test_command = command(app_, "test", "Run a command against a sandbox of its own: flylocal test [DIR...] -- COMMAND...", [this] { return test(test_); });
    test_command->footer("Waits until the bind report is good, runs COMMAND with FLYLOCAL_URL, FLYLOCAL_APP_URL for each app (its name in capitals) and FLYLOCAL_SOCKET\n"
                         "in its environment, stops everything, and ends with COMMAND's exit code; 1 when the report is not good, 124 when COMMAND takes too long.\n"
                         "Several may run at once: each has ports and a state of its own. flylocal's other commands, used in COMMAND, speak to its sandbox.");
    add_projects(test_command, test_.projects);
    add_report(test_command, test_.report);
    test_command->add_flag("--inside", test_.inside, "Run COMMAND in a machine of its own on the 6PN network; FLYLOCAL_URL is then http://APP.internal:PORT");
    test_command->add_option("--time-limit", test_.time_limit, "How long COMMAND may take, e.g. 10m (default: as long as it likes)");
    test_command->add_flag("--logs", test_.logs, "Show the machines' output, on stderr");
    command(app_, "down", "Stop the running sandbox", [] { return down(); });
  }

  void add_machines() {
    CLI::App* machine = group("machine", "List and control machines")->alias("machines")->alias("m");
    CLI::App* list = command(*machine, "list", "List machines", [this] { return machine_list(machine_list_); });
    list->add_option("-a,--app", machine_list_.app, "Only this app's");
    list->add_flag("--json", machine_list_.json, "As JSON, in the Machines API's form");
    const std::pair<const char*, const char*> actions[] = {{"start", "Start stopped machines, and let suspended ones go on"},
                                                           {"stop", "Stop machines: kill_signal, kill_timeout, then SIGTERM and SIGKILL"},
                                                           {"restart", "Stop machines and start them again"},
                                                           {"kill", "Kill machines at once"},
                                                           {"suspend", "Freeze machines where they are; start lets them go on"},
                                                           {"cordon", "Send machines no new requests"},
                                                           {"uncordon", "Send machines requests again"}};
    for (const auto& [name, about] : actions) {
      CLI::App* action = command(*machine, name, about, [this, action_name = std::string(name)] {
        action_.action = action_name;
        return machine_action(action_);
      });
      action->add_option("ID", action_.machines, "Machine ids, or their beginnings")->required();
      if (action->get_name() == "stop" || action->get_name() == "restart") {
        action->add_option("-s,--signal", action_.signal, "Instead of the app's kill_signal");
        action->add_option("--timeout", action_.timeout, "Instead of the app's kill_timeout, e.g. 10s");
      }
    }
    CLI::App* count = command(*group("scale", "Change the number of machines"), "count",
                              "Run this many machines, until the sandbox stops; flylocal.toml keeps a number for good",
                              [this] { return scale_count(scale_); });
    count->add_option("COUNT", scale_.counts, "A number, or GROUP=NUMBER")->required();
    count->add_option("-a,--app", scale_.app, "The app");
    count->add_option("-r,--region", scale_.region, "The region (default: the primary one)");
    count->add_option("-g,--process-group", scale_.process_group, "The process group of a plain number");
  }

  void add_inspection() {
    CLI::App* checks = command(*group("checks", "The health of machines"), "list", "Show how every health check stands", [this] { return checks_list(checks_list_); });
    checks->add_option("-a,--app", checks_list_.app, "Only this app's");
    checks->add_flag("--json", checks_list_.json, "As JSON");
    CLI::App* tick_command = command(app_, "tick", "Make an autostop pass now, and say which machines it stopped or suspended", [this] { return tick(tick_); });
    tick_command->add_flag("--json", tick_.json, "As JSON");
    CLI::App* status_command = command(app_, "status", "Show apps, machines and ports of the running sandbox", [this] { return status(status_); });
    status_command->add_flag("--json", status_.json, "As JSON");
    CLI::App* logs_command = command(app_, "logs", "Show the machines' output", [this] { return logs(logs_); });
    logs_command->add_flag("-f,--follow", logs_.follow, "Go on with what is still to come");
    logs_command->add_flag("--json", logs_.json, "A JSON object a line");
    logs_command->add_option("-a,--app", logs_.app, "Only this app's");
    logs_command->add_option("--machine", logs_.machine, "Only this machine's: its id, or the beginning of it");
  }

  void add_requests() {
    CLI::App* requests_command = command(app_, "requests", "Show what clients asked the proxy for, and what came of it", [this] { return requests(requests_); });
    requests_command->add_flag("-f,--follow", requests_.follow, "Go on with what is still to come");
    requests_command->add_option("-a,--app", requests_.app, "Only this app's");
    requests_command->add_option("-n,--lines", requests_.count, "Of the requests so far only the last ones (default: all that are kept, at most 4096)")->type_name("COUNT");
    requests_command->add_flag("--json", requests_.json, "A JSON object a line");
    requests_command->footer("A line is: time, edge region, method, host and target, status, the platform's error code, machine and its region, and times.\n"
                             "  12:01:02.345 ams GET hello.localhost/ 200 3d8d413b29d089[ams] connect 0.2 ms, first byte 3.1 ms, total 3.2 ms\n"
                             "  12:01:03.456 ams GET hello.localhost/ 503 PR03 total 8.1 s, 23 retries\n"
                             "A request is shown when it has ended; \"aborted\": its client left before. Ports without the http handler show connections.");
  }

  void add_network() {
    CLI::App* ssh = command(*group("ssh", "Go into a machine"), "console", "A shell inside a machine, or one command with -C",
                            [this] { return ssh_console(console_); });
    ssh->add_option("-a,--app", console_.app, "The app");
    ssh->add_option("--machine", console_.machine, "The machine: its id, or the beginning of it");
    ssh->add_option("-C,--command", console_.command, "Run this command instead of a shell");
    CLI::App* dig_command = command(app_, "dig", "Ask the sandbox's resolver as a machine would", [this] { return dig(dig_); });
    dig_command->add_option("NAME", dig_.words, "The name, then types (default: AAAA) and +options as dig has them: hello.internal AAAA TXT +short")->type_name("");
    dig_command->add_option("-t,--type", dig_.types, "A record type; may be given several times")->type_name("TYPE")->allow_extra_args(false)->take_all();
    dig_command->add_option("-x,--reverse", dig_.reverse, "Ask for the name of this address (PTR)")->type_name("ADDRESS");
    dig_command->add_option("-a,--app", dig_.app, "Ask on this app's network");
    dig_command->add_flag("--tcp", dig_.tcp, "Ask over TCP; also +tcp");
    dig_command->add_flag("--short", dig_.brief, "Print the records' data only; also +short");
    dig_command->footer("  flylocal dig hello.internal                   the app's started machines\n"
                        "  flylocal dig hello.internal A +short          nothing: private names have IPv6 addresses only\n"
                        "  flylocal dig vms.hello.internal TXT           machines and their regions\n"
                        "  flylocal dig _apps.internal TXT -a other      as a machine of app other sees it\n"
                        "  flylocal dig -x fdaa::3                       the name of an address\n\n"
                        "+options, also with no in front: +short +tcp +recurse +edns +bufsize=N +dnssec +cdflag +ignore, and what is printed:\n"
                        "+all +cmd +comments +question +answer +authority +additional +stats. Exit code: 1 when the answer is not NOERROR.");
    CLI::App* log = command(*group("dns", "What the machines ask the resolver"), "log", "Show who asked for which name, and the answer", [this] { return dns_log(dns_log_); });
    log->add_flag("-f,--follow", dns_log_.follow, "Go on with what is still to come");
    log->add_option("-a,--app", dns_log_.app, "Only what this app's machines ask; flylocal: what flylocal itself asks");
    log->add_option("--machine", dns_log_.machine, "Only what this machine asks: its id, or the beginning of it");
    log->add_option("--name", dns_log_.name, "Only names with this in them");
    log->add_option("-n,--lines", dns_log_.count, "Of the questions so far only the last ones (default: all that are kept, at most 4096)")->type_name("COUNT");
    log->add_flag("--json", dns_log_.json, "A JSON object a line");
    log->footer("A line is: time, app[machine], type and name, the answer, where it came from, and how long it took.\n"
                "  12:01:02.345 web[3d8d413b29d089] AAAA db.internal -> fdaa:0:18:a7b:7d:f066:b83b:2 (zone, 0.02 ms)\n"
                "  12:01:02.345 web[3d8d413b29d089] A db.internal -> no A record (zone, 0.01 ms)\n"
                "zone: a name of the sandbox. upstream: asked of the host's resolvers. cache: they had been asked before.\n"
                "A program that asks for A only cannot reach .internal names. flylocal explain dns NAME says more of a name.");
    CLI::App* certs = group("certs", "The local authority and the certificates that it signed");
    CLI::App* authority = command(*certs, "ca", "Show the local authority's certificate, and how to trust it", [this] { return certs_ca(certs_); });
    authority->add_flag("--pem", certs_.pem, "Print the certificate itself, and nothing else");
    CLI::App* certs_list_command = command(*certs, "list", "List the names that have a certificate", [this] { return certs_list(certs_); });
    CLI::App* certs_show_command = command(*certs, "show", "Show a name's certificate", [this] { return certs_show(certs_); });
    certs_show_command->add_option("NAME", certs_.name, "The host name, e.g. hello.localhost")->required();
    certs_show_command->add_flag("--pem", certs_.pem, "Print the certificate itself, and nothing else");
    for (CLI::App* sub : {authority, certs_list_command, certs_show_command}) sub->add_flag("--json", certs_.json, "As JSON");
    CLI::App* forward = command(app_, "proxy", "Forward a local port to a machine's 6PN address", [this] { return forward_port(forward_); });
    forward->add_option("LOCAL:REMOTE", forward_.ports, "The ports, e.g. 15432:5432")->required();
    forward->add_option("-a,--app", forward_.app, "The app");
    forward->add_option("--machine", forward_.machine, "The machine: its id, or the beginning of it");
    forward->add_option("-b,--bind-addr", forward_.bind_address, "The local address (default: 127.0.0.1)");
  }

  void add_project() {
    CLI::App* config = group("config", "Read the project's configuration");
    CLI::App* validate = command(*config, "validate", "Say everything that is wrong with fly.toml, without running anything",
                                 [this] { return config_validate(config_); });
    CLI::App* show = command(*config, "show", "Print the configuration as it is understood, as JSON", [this] { return config_show(config_); });
    for (CLI::App* sub : {validate, show}) {
      sub->add_option("DIR", config_.directory, "The project directory (default: .)");
      sub->add_option("-c,--config", config_.file, "Another file than fly.toml");
    }
    validate->add_flag("--json", config_.json, "As JSON");
  }

  void add_own() {
    CLI::App* doctor_command = command(app_, "doctor", "Try everything a sandbox needs of this host", [this] { return doctor(doctor_); });
    doctor_command->add_flag("--json", doctor_.json, "As JSON");
    CLI::App* explain_command = command(app_, "explain", "Say what a code of the bind report or of the proxy means, and what to do", [this] { return explain(explain_); });
    explain_command->add_option("CODE", explain_.code, "The code, e.g. loopback-only or PR03 (default: list all)");
    explain_command->add_flag("--json", explain_.json, "As JSON");
    CLI::App* name_command = command(*explain_command, "dns", "Say why a name has an address in the running sandbox, or none", [this] { return explain_name(explain_name_); });
    name_command->add_option("NAME", explain_name_.name, "The name, e.g. hello.internal")->required();
    name_command->add_option("-a,--app", explain_name_.app, "As a machine of this app sees it (default: the first app)");
    name_command->add_flag("--json", explain_name_.json, "As JSON");
    name_command->footer("Exit code: 0 when the name has an address, or only the outside knows; 1 when it has none.");
    command(app_, "version", "Print the version", []() -> int {
      say(fmt::format("flylocal {}", kVersion));
      return kOk;
    });
    CLI::App* completion = command(app_, "completion", "Print a completion script: eval \"$(flylocal completion bash)\"", [this]() -> int {
      say(*completion_script(app_, shell_));
      return kOk;
    });
    completion->add_option("SHELL", shell_, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }

  CLI::App app_;
  std::function<int()> command_;
  UpOptions up_;
  CheckOptions check_;
  TestOptions test_;
  MachineListOptions machine_list_;
  MachineActionOptions action_;
  ScaleOptions scale_;
  ChecksListOptions checks_list_;
  TickOptions tick_;
  StatusOptions status_;
  LogsOptions logs_;
  ConsoleOptions console_;
  DigOptions dig_;
  ForwardOptions forward_;
  ConfigOptions config_;
  DoctorOptions doctor_;
  ExplainOptions explain_;
  ExplainNameOptions explain_name_;
  DnsLogOptions dns_log_;
  CertsOptions certs_;
  RequestsOptions requests_;
  std::string shell_;
};

}  // namespace

int run_command_line(int argc, char** argv) { return Program().run(argc, argv); }

}  // namespace flylocal::cli

#include "flylocal/sandbox/autostop.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::sandbox;
using flylocal::config::AutoStop;

namespace {

AutostopMachine running(std::string id, std::uint32_t load = 0, std::string region = "ams") {
  AutostopMachine machine;
  machine.id = std::move(id);
  machine.process_group = "app";
  machine.region = std::move(region);
  machine.is_running = true;
  machine.action = AutoStop::kStop;
  machine.load = load;
  return machine;
}

AutostopMachine resting(std::string id, std::string region = "ams") {
  AutostopMachine machine = running(std::move(id), 0, std::move(region));
  machine.is_running = false;
  return machine;
}

AutostopMachine busy(std::string id) {
  AutostopMachine machine = running(std::move(id), 20);
  machine.is_over_soft = true;
  return machine;
}

std::vector<AutostopMachine> with(std::vector<AutostopMachine> machines, void (*change)(AutostopMachine&)) {
  for (AutostopMachine& machine : machines) change(machine);
  return machines;
}

/// The ids that are chosen, in the order of the choices.
std::string chosen(const std::vector<AutostopMachine>& machines, std::string_view primary_region = "ams") {
  std::string ids;
  for (const AutostopChoice& choice : autostop_choice(machines, primary_region)) ids += (ids.empty() ? "" : " ") + choice.machine_id;
  return ids;
}

}  // namespace

TEST_CASE("a lone machine is stopped when it has no load") {
  CHECK(chosen({running("a")}) == "a");
  CHECK(chosen({running("a", 1)}) == "");
  CHECK(chosen({running("a"), resting("b")}) == "a");
}

TEST_CASE("of several machines one goes when there is one more than those over soft and a spare one") {
  CHECK(chosen({running("a", 3), running("b", 3)}) == "b");      // 2 - (0 + 1) = 1
  CHECK(chosen({busy("a"), running("b")}) == "");                // 2 - (1 + 1) = 0
  CHECK(chosen({busy("a"), busy("b")}) == "");                   // 2 - (2 + 1) = -1
  CHECK(chosen({busy("a"), running("b"), running("c")}) == "c");  // 3 - (1 + 1) = 1
  CHECK(chosen({busy("a"), busy("b"), running("c")}) == "");
}

TEST_CASE("a pass stops one machine, however great the excess is") {
  CHECK(chosen({running("a"), running("b"), running("c"), running("d"), running("e")}) == "e");
}

TEST_CASE("the machine with the least load is chosen, the youngest among equals") {
  CHECK(chosen({running("a", 2), running("b", 1), running("c", 3)}) == "b");
  CHECK(chosen({running("a", 1), running("b", 1), running("c", 3)}) == "b");
}

TEST_CASE("regions are weighed each for itself") {
  CHECK(chosen({running("a"), running("b"), running("c", 0, "syd"), running("d", 0, "syd")}) == "b d");
  CHECK(chosen({running("a", 1), running("c", 1, "syd")}) == "");
  CHECK(chosen({running("a", 1), running("c", 0, "syd")}) == "c");
}

TEST_CASE("min_machines_running holds in the primary region only") {
  const auto two = with({running("a"), running("b")}, [](AutostopMachine& m) { m.min_running = 2; });
  CHECK(chosen(two) == "");
  CHECK(chosen(two, "syd") == "b");
  const auto three = with({running("a"), running("b"), running("c")}, [](AutostopMachine& m) { m.min_running = 2; });
  CHECK(chosen(three) == "c");
  const auto lone = with({running("a"), resting("b")}, [](AutostopMachine& m) { m.min_running = 1; });
  CHECK(chosen(lone) == "");
  CHECK(chosen(lone, "syd") == "a");
}

TEST_CASE("machines that do not run are nothing to stop, and no capacity") {
  CHECK(chosen({}) == "");
  CHECK(chosen({resting("a"), resting("b")}) == "");
  CHECK(chosen({running("a", 1), resting("b"), resting("c")}) == "");
}

TEST_CASE("off keeps a machine, but it counts as capacity") {
  auto machines = std::vector{running("a"), running("b")};
  for (AutostopMachine& machine : machines) machine.action = AutoStop::kOff;
  CHECK(chosen(machines) == "");
  machines[0].action = AutoStop::kStop;
  CHECK(chosen(machines) == "a");
  CHECK(chosen(with({running("a")}, [](AutostopMachine& m) { m.action = AutoStop::kOff; })) == "");
}

TEST_CASE("one machine per app and region goes in a pass, whatever process groups there are") {
  auto machines = std::vector{running("a"), running("b"), running("c"), running("d")};
  machines[2].process_group = machines[3].process_group = "zone";
  CHECK(chosen(machines) == "b");
  // The last machine of one group is not the excess of another one's.
  auto pair = std::vector{running("a", 1), running("b", 1)};
  pair[1].process_group = "zone";
  CHECK(chosen(pair) == "");
}

TEST_CASE("a choice says what is to be done, and what is left") {
  auto machines = std::vector{running("a", 2), running("b", 1), resting("c")};
  machines[1].action = AutoStop::kSuspend;
  const auto choices = autostop_choice(machines, "ams");
  REQUIRE(choices.size() == 1);
  CHECK(choices[0].action == AutoStop::kSuspend);
  CHECK(choices[0].region == "ams");
  CHECK(choices[0].left_running == 1);
  CHECK(choices[0].of_machines == 3);
  CHECK_FALSE(choices[0].must_be_idle);
  CHECK(autostop_choice({running("a")}, "ams").at(0).must_be_idle);
}

TEST_CASE("a machine's services agree on the most careful action") {
  using flylocal::config::Service;
  const auto services = [](std::vector<AutoStop> actions) {
    std::vector<Service> result(actions.size());
    for (std::size_t i = 0; i < actions.size(); ++i) result[i].auto_stop_machines = actions[i];
    return result;
  };
  CHECK(autostop_action({}) == AutoStop::kOff);
  CHECK(autostop_action(services({AutoStop::kSuspend})) == AutoStop::kSuspend);
  CHECK(autostop_action(services({AutoStop::kSuspend, AutoStop::kStop})) == AutoStop::kStop);
  CHECK(autostop_action(services({AutoStop::kStop, AutoStop::kOff})) == AutoStop::kOff);
}

TEST_CASE("large machines and those with swap cannot be suspended") {
  CHECK(can_be_suspended(256, false));
  CHECK(can_be_suspended(2048, false));
  CHECK_FALSE(can_be_suspended(2049, false));
  CHECK_FALSE(can_be_suspended(256, true));
}

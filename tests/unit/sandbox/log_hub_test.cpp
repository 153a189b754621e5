#include "flylocal/sandbox/log_hub.hpp"

#include <catch2/catch.hpp>

#include "flylocal/base/task_group.hpp"

using namespace flylocal;
using namespace flylocal::sandbox;

namespace {

LogLine line(std::string text) { return {LogLine::Source::kApp, {}, "web", "3d8d413b29d089", "iad", std::move(text)}; }

using Lines = std::vector<std::string>;

/// Long lines by their beginning and length, which says as much and can be read in a failure.
Lines shortened(Lines lines) {
  for (std::string& each : lines)
    if (each.size() > 100) each = each.substr(0, 10) + "... of " + std::to_string(each.size());
  return lines;
}

/// What a splitter makes of a stream that comes in these portions and then ends.
Lines split(const std::vector<std::string>& portions) {
  Lines lines;
  LineSplitter splitter;
  auto collect = [&](std::string text) { lines.push_back(std::move(text)); };
  for (const std::string& portion : portions) splitter.feed(portion, collect);
  splitter.finish(collect);
  return lines;
}

/// A waiter whose end can be seen.
struct Waiter {
  bool ended = false;
  Task<> run(LogHub& hub, std::uint64_t number) {
    co_await hub.wait_for(number);
    ended = true;
  }
};

}  // namespace

TEST_CASE("lines are numbered from 0 and kept in order") {
  asio::io_context context;
  LogHub hub(context.get_executor());
  CHECK(hub.begin() == 0);
  CHECK(hub.end() == 0);
  Lines heard;
  hub.append(line("before"));
  hub.set_listener([&](const LogLine& each) { heard.push_back(each.text); });
  hub.append(line("one"));
  hub.append(line("two"));
  CHECK(hub.begin() == 0);
  CHECK(hub.end() == 3);
  CHECK(hub.at(0).text == "before");
  CHECK(hub.at(2).text == "two");
  CHECK(heard == Lines{"one", "two"});
}

TEST_CASE("the oldest lines give way, so that endless output costs bounded memory") {
  for (const std::size_t length : {std::size_t{0}, std::size_t{100}, LogHub::kMaxLineBytes}) {
    INFO(length);
    asio::io_context context;
    LogHub hub(context.get_executor());
    const std::size_t count = 2 * LogHub::kMaxBytes / (length + sizeof(LogLine));
    for (std::size_t i = 0; i < count; ++i) hub.append(line(std::string(length, 'x')));
    hub.append(line("last"));
    CHECK(hub.end() == count + 1);
    REQUIRE(hub.begin() > 0);
    REQUIRE(hub.begin() < hub.end());
    CHECK((hub.end() - hub.begin()) * (length + sizeof(LogLine)) <= LogHub::kMaxBytes + length);
    // Not more is thrown away than has to be.
    CHECK((hub.end() - hub.begin() + 2) * (length + sizeof(LogLine)) > LogHub::kMaxBytes);
    CHECK(hub.at(hub.end() - 1).text == "last");
    CHECK(hub.at(hub.begin()).text.size() == length);
  }
}

TEST_CASE("a wait for a line ends when the line is there") {
  asio::io_context context;
  LogHub hub(context.get_executor());
  TaskGroup tasks(context.get_executor());
  hub.append(line("zero"));
  Waiter present, next, later;
  tasks.spawn("present", present.run(hub, 0));
  tasks.spawn("next", next.run(hub, 1));
  tasks.spawn("later", later.run(hub, 2));
  context.poll();
  CHECK(present.ended);
  CHECK_FALSE(next.ended);
  hub.append(line("one"));
  context.restart();
  context.poll();
  CHECK(next.ended);
  CHECK_FALSE(later.ended);
  hub.append(line("two"));
  context.restart();
  context.poll();
  CHECK(later.ended);
}

TEST_CASE("closing ends every wait, and those that come later") {
  asio::io_context context;
  LogHub hub(context.get_executor());
  TaskGroup tasks(context.get_executor());
  Waiter before, after;
  tasks.spawn("before", before.run(hub, 5));
  context.poll();
  CHECK_FALSE(before.ended);
  hub.close();
  tasks.spawn("after", after.run(hub, 5));
  context.restart();
  context.poll();
  CHECK(before.ended);
  CHECK(after.ended);
  CHECK(hub.is_closed());
}

TEST_CASE("cancelling ends a wait") {
  asio::io_context context;
  LogHub hub(context.get_executor());
  TaskGroup tasks(context.get_executor());
  Waiter waiter;
  tasks.spawn("waiter", waiter.run(hub, 0));
  context.poll();
  tasks.cancel();
  context.restart();
  context.poll();
  CHECK(tasks.size() == 0);
}

TEST_CASE("a stream is cut at its line ends") {
  const std::string full(LogHub::kMaxLineBytes, 'x');
  struct Case {
    const char* name;
    std::vector<std::string> portions;
    Lines lines;
  };
  const Case cases[] = {
      {"nothing", {}, {}},
      {"one line", {"a\n"}, {"a"}},
      {"several at once", {"a\nb\n\nc\n"}, {"a", "b", "", "c"}},
      {"a line in portions", {"he", "l", "lo\nwo", "rld\n"}, {"hello", "world"}},
      {"CRLF", {"a\r\nb\r\n"}, {"a", "b"}},
      {"CR and LF apart", {"a\r", "\nb\r", "\n"}, {"a", "b"}},
      {"a CR inside of a line stays", {"a\rb\n"}, {"a\rb"}},
      {"no newline at the end", {"a\nb"}, {"a", "b"}},
      {"a zero octet", {std::string("a\0b\n", 4)}, {std::string("a\0b", 3)}},
      {"as long as may be", {full + "\n"}, {full}},
      {"as long as may be, CRLF", {full + "\r\nnext\n"}, {full, "next"}},
      {"as long as may be, newline apart", {full, "\n"}, {full}},
      {"one octet too long", {full + "y\n"}, {full, "y"}},
      {"much too long", {full + full + full + "y"}, {full, full, full, "y"}},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(shortened(split(c.portions)) == shortened(c.lines));
  }
}

TEST_CASE("it does not matter to lines in which portions they come") {
  std::string text;
  for (int i = 0; i < 40; ++i) text += std::string(static_cast<std::size_t>(i * 997 % 20000), 'a' + i % 26) + (i % 3 ? "\n" : "\r\n");
  const Lines whole = split({text});
  for (const std::size_t portion : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, LogHub::kMaxLineBytes}) {
    INFO(portion);
    std::vector<std::string> portions;
    for (std::size_t at = 0; at < text.size(); at += portion) portions.push_back(text.substr(at, portion));
    CHECK((split(portions) == whole));
  }
}

TEST_CASE("a stream without newlines is handed on as it comes, in lines of bounded length") {
  LineSplitter splitter;
  std::size_t lines = 0, longest = 0, bytes = 0;
  auto collect = [&](std::string text) {
    ++lines;
    longest = std::max(longest, text.size());
    bytes += text.size();
  };
  const std::string portion(100'000, 'x');
  for (int i = 0; i < 50; ++i) splitter.feed(portion, collect);
  CHECK(longest == LogHub::kMaxLineBytes);
  CHECK(bytes + LogHub::kMaxLineBytes >= 50 * portion.size());
  splitter.finish(collect);
  CHECK(bytes == 50 * portion.size());
}

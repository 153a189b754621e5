// Any octets as a message, in text: what the log of queries keeps and `flylocal dig` prints.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "dns/record_text.hpp"

using namespace flylocal::dns;

namespace {

void require_printable(std::string_view text) {
  for (char c : text)
    if (c < ' ' || c > '~') std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = read_message({data, size});
  if (!text) return 0;
  for (const auto& question : text->questions) require_printable(question.name);
  for (const auto* section : {&text->answers, &text->authority, &text->additional}) {
    for (const RecordText& record : *section) {
      require_printable(record.owner);
      require_printable(record.data);
    }
  }
  if (text->edns)
    for (const std::string& option : text->edns->options) require_printable(option);
  return 0;
}

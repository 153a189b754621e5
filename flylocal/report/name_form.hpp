#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a name is by its spelling alone, whatever runs. Names are in lower case and have no last dot.
namespace flylocal::report {

/// The labels of a name, the leftmost first.
using Labels = std::vector<std::string>;
Labels labels_of(std::string_view name);

/// Which of the platform's names stands in front of APP.internal.
struct AppForm {
  enum class Kind {
    kAll,       ///< nothing, or `global`
    kRegion,    ///< REGION
    kGroup,     ///< GROUP.process
    kMachine,   ///< MACHINE.vm
    kNearest,   ///< topN.nearest.of
    kMetadata,  ///< VALUE.KEY.kv._metadata
    kText,      ///< vms, regions, and both behind all.
    kHalf,      ///< the end of one of these, which exists and has no records
    kNone,
  };
  Kind kind = Kind::kNone;
  std::string value;      ///< the region, the group, the machine's id, the metadata's value
  std::string key;        ///< of kMetadata
  std::size_t count = 0;  ///< of kNearest; very large ones are all alike
};
AppForm app_form(const Labels& below_app);

/// Which of the platform's names without an app stands in front of .internal, the last label beginning with _.
enum class SpecialForm { kApi, kPeer, kText, kNone };
SpecialForm special_form(const Labels& below_internal);

/// Whether the name leads from an address to a name: what is below in-addr.arpa and ip6.arpa, and what these are below.
bool is_reverse_form(std::string_view name);

/// The host of a URL or of "host:port"; empty when the text is neither.
std::string_view host_within(std::string_view text);

}  // namespace flylocal::report

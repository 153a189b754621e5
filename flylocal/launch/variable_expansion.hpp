#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/base/result.hpp"

namespace flylocal::launch {

/// The value of a variable, or nothing where it is not set.
using VariableLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// Replaces variables in a word of a Dockerfile the way Docker's builder does: $x ${x} ${x:-d} ${x-d} ${x:+d}
/// ${x+d} ${x:?message} ${x?message}; not in 'single quotes'; quotes are removed, and `escape` (backslash
/// unless the file's directive says otherwise) takes the next character literally. A variable that is not set
/// is empty. Source: the Dockerfile reference, "Environment replacement". Error: an open quote or brace, a
/// form that is not known, or a ${x:?} whose variable is not set.
Result<std::string> expand_variables(std::string_view word, char escape, const VariableLookup& lookup);

/// Splits at blanks outside of quotes; quotes and escapes stay in the words, for expand_variables.
std::vector<std::string> split_raw_words(std::string_view text, char escape);

}  // namespace flylocal::launch

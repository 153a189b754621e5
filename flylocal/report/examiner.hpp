#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "flylocal/report/machine_examination.hpp"

namespace flylocal::report {

/// Examines all machines of a sandbox, those of the future included. With `tells_proxy` it tells each machine's problems to the
/// proxy, which repeats them in its 503 answers. Belongs to the main thread.
class Examiner {
 public:
  Examiner(sandbox::Sandbox& sandbox, ExaminationOptions options);
  Examiner(const Examiner&) = delete;
  Examiner& operator=(const Examiner&) = delete;
  /// close() has to be awaited first.
  ~Examiner() = default;

  /// Called for each verdict that is not certain after two seconds, once.
  using OnUncertain = std::function<void(const MachineReport&, const Result&)>;
  /// Looks until every verdict is certain.
  Task<> until_certain(OnUncertain on_uncertain);
  /// Looks for ever, and calls for each verdict that differs from what it was, but not for one that waits for an attempt.
  /// `before` is null for a verdict on something new, `now` for something that is gone. Ends when cancelled.
  using OnChange = std::function<void(const MachineReport&, const Result* before, const Result* now)>;
  Task<> watch(OnChange on_change);

  Report report() const;
  /// Cancels what is being tried and waits for its end.
  Task<> close();

 private:
  Task<> look_at_all();
  Task<> read_questions();
  bool is_certain() const;
  std::uint64_t sum_of_versions() const;
  void tell_proxy();

  sandbox::Sandbox& sandbox_;
  const ExaminationOptions options_;
  TaskGroup tasks_;
  Notifier attempt_ended_;
  std::vector<std::unique_ptr<MachineExamination>> examinations_;
  std::map<const MachineExamination*, std::uint64_t> told_versions_;
  std::vector<dns::AddressQuestion> questions_;
  std::uint64_t questions_version_ = 0;
  std::chrono::steady_clock::time_point questions_changed_{};
};

/// A report of the sandbox as it is: looks until all is certain.
Task<Report> make_report(sandbox::Sandbox& sandbox, ExaminationOptions options, Examiner::OnUncertain on_uncertain);

}  // namespace flylocal::report

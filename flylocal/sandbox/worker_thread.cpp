#include "flylocal/sandbox/worker_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <future>

namespace flylocal::sandbox {

Result<std::unique_ptr<WorkerThread>> WorkerThread::start(const std::string& name, std::function<Result<>()> enter) {
  std::unique_ptr<WorkerThread> worker(new WorkerThread);
  std::promise<Result<>> entered;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  worker->thread_ = std::thread([&entered, &enter, name, context = &worker->context_] {
    pthread_setname_np(pthread_self(), name.c_str());
    Result<> result = enter();
    const bool ready = result.has_value();
    entered.set_value(std::move(result));
    if (ready) context->run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (Result<> result = entered.get_future().get(); !result) return result.error();
  return worker;
}

WorkerThread::~WorkerThread() {
  keep_running_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace flylocal::sandbox

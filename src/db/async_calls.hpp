// The calls of one database that are under way: started, counted, and waited for when it is closed.
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/task_queue.hpp"
#include "vecstore/async.hpp"
#include "vecstore/error.hpp"

namespace vecstore::detail {

template <class T>
typename FutureState<T>::Result failed(std::exception_ptr error) {
  return typename FutureState<T>::Result(std::in_place_index<2>, std::move(error));
}

class AsyncCalls : public std::enable_shared_from_this<AsyncCalls> {
 public:
  explicit AsyncCalls(AsyncOptions options) : options_(std::move(options)) {}

  /// Carries `work` out on the executor.
  template <class T>
  Future<T> call(std::function<T(const std::stop_token&)> work);
  /// Refuses calls from now on; has `last` called on the executor when all have ended.
  Future<void> close(std::function<void()> last);
  /// Whether this call has others beside it.
  bool crowded() const;

 private:
  template <class T>
  class Call;
  using LastCalls = std::vector<std::shared_ptr<Call<void>>>;
  void enter();
  void leave() noexcept;
  /// Those that nothing else has to be waited for any more. mutex_ is held.
  LastCalls take_last();
  template <class T>
  void start(const std::shared_ptr<Call<T>>& call) noexcept;

  const AsyncOptions options_;
  mutable std::mutex mutex_;  // guards what follows
  std::size_t calls_ = 0;     // under way, with those that wait to be the last
  bool closed_ = false;
  LastCalls last_;
};

/// One call. It is counted as long as it exists.
template <class T>
class AsyncCalls::Call {
 public:
  using Work = std::function<T(const std::stop_token&)>;

  Call(std::shared_ptr<AsyncCalls> calls, Work work) : calls_(std::move(calls)), work_(std::move(work)) {}
  ~Call() { refuse(std::make_exception_ptr(Error(ErrorCode::kCancelled, "the executor dropped the call"))); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void run() noexcept {
    if (begun_.test_and_set()) return;
    const auto token = state_->stop.get_token();
    typename FutureState<T>::Result result;
    try {
      if (token.stop_requested()) throw Error(ErrorCode::kCancelled, "the call was cancelled");
      if constexpr (std::is_void_v<T>) {
        work_(token);
        result.template emplace<1>();
      } else {
        result.template emplace<1>(work_(token));
      }
    } catch (...) {
      result = failed<T>(std::current_exception());
    }
    end(std::move(result));
  }
  /// Ends it without work, if that has not begun.
  void refuse(std::exception_ptr error) noexcept {
    if (!begun_.test_and_set()) end(failed<T>(std::move(error)));
  }
  const std::shared_ptr<FutureState<T>>& state() const { return state_; }

 private:
  void end(typename FutureState<T>::Result result) noexcept {
    work_ = nullptr;  // the handles in it go before anybody hears of the result
    try {
      state_->publish(std::move(result));
    } catch (...) {
      // A coroutine of another kind let an exception out.
    }
    calls_->leave();
  }

  const std::shared_ptr<AsyncCalls> calls_;
  Work work_;
  std::atomic_flag begun_;
  const std::shared_ptr<FutureState<T>> state_ = std::make_shared<FutureState<T>>();
};

template <class T>
Future<T> AsyncCalls::call(std::function<T(const std::stop_token&)> work) {
  try {
    enter();
  } catch (...) {
    auto state = std::make_shared<FutureState<T>>();
    state->publish(failed<T>(std::current_exception()));
    return Future<T>(std::move(state));
  }
  std::shared_ptr<Call<T>> call;
  try {
    call = std::make_shared<Call<T>>(shared_from_this(), std::move(work));
  } catch (...) {
    leave();
    throw;
  }
  Future<T> out(call->state());
  start(call);
  return out;
}

template <class T>
void AsyncCalls::start(const std::shared_ptr<Call<T>>& call) noexcept {
  try {
    std::function<void()> task = [call] { call->run(); };
    options_.executor ? options_.executor(std::move(task)) : TaskQueue::shared().post(std::move(task));
  } catch (...) {
    call->refuse(std::current_exception());
  }
}

}  // namespace vecstore::detail

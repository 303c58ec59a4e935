// Future: the result of a call that goes on meanwhile.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <variant>

#include "vecstore/error.hpp"

namespace vecstore {

namespace detail {

/// What a Future shares with the work that it stands for. Set once, taken once.
template <class T>
class FutureState {
 public:
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  using Result = std::variant<std::monostate, Value, std::exception_ptr>;  // by place: nothing, value, error

  void publish(Result result) {
    std::function<void()> next;
    {
      const std::lock_guard lock(mutex_);
      result_ = std::move(result);
      next = std::exchange(next_, nullptr);
    }
    ready_.notify_all();  // without the lock, which who wakes wants at once
    if (next) next();
  }
  bool is_ready() const {
    const std::lock_guard lock(mutex_);
    return result_.index() != 0;
  }
  void wait() const {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return result_.index() != 0; });
  }
  bool wait_until(std::chrono::steady_clock::time_point time) const {
    std::unique_lock lock(mutex_);
    return ready_.wait_until(lock, time, [this] { return result_.index() != 0; });
  }
  /// Calls `next` from publish; false, and it is not kept, when that has been already.
  bool on_ready(std::function<void()> next) {
    const std::lock_guard lock(mutex_);
    if (result_.index() != 0) return false;
    next_ = std::move(next);
    return true;
  }
  T take() {
    wait();
    // Moved, so that nobody else has to free it.
    if (result_.index() == 2) std::rethrow_exception(std::exchange(std::get<2>(result_), nullptr));
    if constexpr (!std::is_void_v<T>) return std::move(std::get<1>(result_));
  }
  std::stop_source stop;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable ready_;
  Result result_;
  std::function<void()> next_;
};

/// What a coroutine that returns a Future keeps of its result until it ends.
template <class T>
struct FutureResult {
  typename FutureState<T>::Result result;
  template <class U>
  void return_value(U&& value) {
    result.template emplace<1>(std::forward<U>(value));
  }
};
template <>
struct FutureResult<void> {
  FutureState<void>::Result result;
  void return_void() { result.template emplace<1>(); }
};

}  // namespace detail

/// The result of a call that goes on meanwhile: wait for it (get), be called (then), or co_await it, one of
/// these and once. The call goes on, whatever becomes of its Future. One thread at a time may use a Future.
///
/// It is also what a coroutine may return that awaits others:
///
///     Future<std::size_t> count_hits(AsyncCollection docs, Query query) {
///       const Hits hits = co_await docs.query(query);
///       co_return hits.size();
///     }
///
/// g++ 12 destroys aggregates twice that are made within a co_await expression. Make them in one before it:
///
///     Future<SequenceNumber> written = docs.upsert({.id = "d1", .text = "..."});
///     co_await written;
///
/// Such a coroutine begins on its caller's thread and goes on where what it awaits ends. Callbacks and
/// coroutines must not wait with get() there: they would keep the thread that is to bring the result.
template <class T>
class [[nodiscard]] Future {
 public:
  using State = detail::FutureState<T>;

  Future() = default;
  explicit Future(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  /// False for one that was made empty, moved from or used; using it is kInvalidArgument.
  bool valid() const noexcept { return state_ != nullptr; }
  bool ready() const { return state().is_ready(); }
  void wait() const { state().wait(); }
  /// False when it is not there by then.
  bool wait_for(std::chrono::milliseconds time) const {
    const std::chrono::milliseconds longest =
        std::chrono::hours(24 * 365 * 100);  // the clock's arithmetic ends
    return state().wait_until(std::chrono::steady_clock::now() + std::clamp(time, -longest, longest));
  }
  /// Waits; the result, or the call's exception.
  T get() { return take_state()->take(); }
  /// Calls fn with this future, ready, on the thread that brings the result, or here and now when it is
  /// there. What fn throws is lost.
  void then(std::function<void(Future<T>)> fn) {
    auto shared = take_state();
    auto call = [fn = std::move(fn), shared]() noexcept {
      try {
        fn(Future(shared));
      } catch (...) {
      }
    };
    if (!shared->on_ready(call)) call();
  }
  /// Before get, then or co_await: asks the call to end: with kCancelled when it has not begun, or is a query
  /// or something else that takes a stop token and has not ended yet. A coroutine passes this on to what it
  /// awaits.
  void cancel() { state().stop.request_stop(); }

  class Awaiter;
  Awaiter operator co_await() { return Awaiter(take_state()); }
  struct promise_type;

 private:
  State& state() const {
    if (!state_)
      throw Error(ErrorCode::kInvalidArgument, "the future has no result: it was empty, or used before");
    return *state_;
  }
  std::shared_ptr<State> take_state() {
    state();
    return std::exchange(state_, nullptr);
  }

  std::shared_ptr<State> state_;
};

template <class T>
class Future<T>::Awaiter {
 public:
  explicit Awaiter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  bool await_ready() const { return state_->is_ready(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    if constexpr (requires { caller.promise().stop_token(); })
      cancel_too_.emplace(caller.promise().stop_token(), Cancel{state_});
    return state_->on_ready([caller] { caller.resume(); });
  }
  T await_resume() {
    cancel_too_.reset();
    return state_->take();
  }

 private:
  struct Cancel {
    std::shared_ptr<State> state;
    void operator()() const { state->stop.request_stop(); }
  };
  std::shared_ptr<State> state_;
  std::optional<std::stop_callback<Cancel>> cancel_too_;
};

/// For the compiler: makes a coroutine whose result is this future.
template <class T>
struct Future<T>::promise_type : detail::FutureResult<T> {
  std::shared_ptr<State> state = std::make_shared<State>();

  Future get_return_object() { return Future(state); }
  std::stop_token stop_token() const { return state->stop.get_token(); }
  std::suspend_never initial_suspend() noexcept { return {}; }
  void unhandled_exception() { this->result.template emplace<2>(std::current_exception()); }
  /// Nothing of the coroutine is left when its result is there.
  auto final_suspend() noexcept {
    struct End {
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        const std::shared_ptr<State> state = self.promise().state;
        auto result = std::move(self.promise().result);
        self.destroy();
        try {
          state->publish(std::move(result));
        } catch (...) {
          // What waited for it is a coroutine of another kind that let an exception out.
        }
      }
      void await_resume() noexcept {}
    };
    return End{};
  }
};

}  // namespace vecstore

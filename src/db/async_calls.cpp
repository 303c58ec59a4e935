#include "db/async_calls.hpp"

#include "base/error.hpp"

namespace vecstore::detail {

void AsyncCalls::enter() {
  const std::lock_guard lock(mutex_);
  if (closed_) fail(ErrorCode::kClosed, "the database was closed");
  ++calls_;
}

AsyncCalls::LastCalls AsyncCalls::take_last() {
  return calls_ == last_.size() ? std::exchange(last_, {}) : LastCalls();
}

void AsyncCalls::leave() noexcept {
  LastCalls last;
  {
    const std::lock_guard lock(mutex_);
    --calls_;
    last = take_last();
  }
  for (const auto& call : last) start(call);
}

Future<void> AsyncCalls::close(std::function<void()> last) {
  const auto call =
      std::make_shared<Call<void>>(shared_from_this(), [last](const std::stop_token&) { last(); });
  Future<void> out(call->state());
  LastCalls ready;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ++calls_;
    last_.push_back(call);
    ready = take_last();
  }
  for (const auto& c : ready) start(c);
  return out;
}

bool AsyncCalls::crowded() const {
  const std::lock_guard lock(mutex_);
  return calls_ > 1;
}

}  // namespace vecstore::detail

#include <iostream>
#include <vecstore/error.hpp>
#include <vecstore/metric.hpp>

int main() {
  try {
    vecstore::parse_metric("closeness");
  } catch (const vecstore::Error& e) {
    std::cout << vecstore::to_string(e.code()) << ": " << e.what() << "\n";
    return e.code() == vecstore::ErrorCode::kInvalidArgument ? 0 : 1;
  }
  return 2;
}

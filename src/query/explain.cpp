// Printing a plan as a tree.
#include <cstdio>

#include "vecstore/query.hpp"

namespace vecstore {
namespace {

void print(const PlanNode& node, const std::string& indent, std::string& out) {
  char time[32];
  std::snprintf(time, sizeof time, "%.3f ms", node.milliseconds);
  out += node.name;
  out += "  ";
  out += time;
  for (const auto& [key, value] : node.properties) out += "  " + key + "=" + value;
  for (const auto& [key, value] : node.counters) out += "  " + key + ": " + std::to_string(value);
  out += '\n';
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const bool last = i + 1 == node.children.size();
    out += indent + (last ? "└─ " : "├─ ");
    print(node.children[i], indent + (last ? "   " : "│  "), out);
  }
}

}  // namespace

std::string PlanNode::to_string() const {
  std::string out;
  print(*this, "", out);
  return out;
}

}  // namespace vecstore

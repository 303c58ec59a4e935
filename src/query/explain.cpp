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
  if (node.rows) out += "  rows: " + std::to_string(*node.rows);
  if (node.expected) {
    char expected[96];
    std::snprintf(expected, sizeof expected, "%s%.0f, %llu to %llu)",
                  node.rows ? " (expected " : "  (expected ", node.expected->expected,
                  static_cast<unsigned long long>(node.expected->least),
                  static_cast<unsigned long long>(node.expected->most));
    out += expected;
  }
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

std::string PlanNode::property(std::string_view key) const {
  for (const auto& [name_of, value] : properties) {
    if (name_of == key) return value;
  }
  for (const PlanNode& child : children) {
    if (std::string found = child.property(key); !found.empty()) return found;
  }
  return {};
}

std::string PlanNode::to_string() const {
  std::string out;
  print(*this, "", out);
  return out;
}

}  // namespace vecstore

#include "vecstore/metadata_changes.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/json.hpp"

namespace vecstore {
namespace {

/// The first step of a dotted path, which is left with the rest; `more` tells whether there is one.
std::string_view take_step(std::string_view& path, bool& more) {
  const auto dot = path.find('.');
  const std::string_view step = path.substr(0, dot);
  more = dot != std::string_view::npos;
  path.remove_prefix(more ? dot + 1 : path.size());
  return step;
}

Metadata sum(const Metadata& a, const Metadata& b, std::string_view path) {
  if (!a.is_number()) invalid("increment of '", path, "': ", a.to_json(), " is no number");
  if (a.is_int() && b.is_int()) {
    std::int64_t out = 0;
    if (__builtin_add_overflow(a.as_int(), b.as_int(), &out))
      invalid("increment of '", path, "': ", a.as_int(), " + ", b.as_int(), " is beyond 64 bits");
    return out;
  }
  const double out = a.as_double() + b.as_double();
  if (!std::isfinite(out)) invalid("increment of '", path, "': the sum is beyond double");
  return out;
}

}  // namespace

MetadataChanges& MetadataChanges::add(Kind kind, std::string_view path, Metadata value) {
  if (path.empty()) invalid("path is empty: changes are made to members of the metadata");
  const auto steps = static_cast<std::size_t>(std::count(path.begin(), path.end(), '.')) + 1;
  if (steps > kMaxJsonDepth) invalid("path has ", steps, " steps; the limit is ", kMaxJsonDepth);
  changes_.push_back({kind, std::string(path), std::move(value)});
  return *this;
}

void MetadataChanges::unset_at(Metadata& metadata, std::string_view path) {
  Metadata* at = &metadata;
  for (bool more = true;;) {
    const std::string_view step = take_step(path, more);
    if (!at->contains(step)) return;
    if (!more) {
      at->erase(step);
      return;
    }
    at = &(*at)[step];
  }
}

void MetadataChanges::apply_to(Metadata& target, const Change& change) {
  switch (change.kind) {
    case Kind::kSet:
      target = change.value;
      return;
    case Kind::kIncrement:
      target = sum(target.is_null() ? Metadata(0) : target, change.value, change.path);
      return;
    case Kind::kAppend:
      if (target.is_null()) target = Metadata::array();
      if (!target.is_array()) invalid("append to '", change.path, "': it is no array");
      target.push_back(change.value);
      return;
    case Kind::kUnset:
      return;
  }
}

void MetadataChanges::apply(Metadata& metadata) const {
  for (const Change& change : changes_) {
    if (change.kind == Kind::kUnset) {
      unset_at(metadata, change.path);
      continue;
    }
    Metadata* at = &metadata;
    std::string_view rest = change.path;
    for (bool more = true; more;) {
      if (at->is_null()) *at = Metadata();
      if (!at->is_object()) {
        const std::string_view way =
            std::string_view(change.path).substr(0, change.path.size() - rest.size() - 1);
        invalid("path '", change.path, "': '", way, "' is no object");
      }
      at = &(*at)[take_step(rest, more)];
    }
    apply_to(*at, change);
  }
}

}  // namespace vecstore

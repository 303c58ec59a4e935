#include "vecstore/index_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/index_options.hpp"

namespace vecstore {
namespace {

/// What a profile is. docs/design/0008 has the figures.
struct ProfileRow {
  Profile profile;
  Codes codes;
  std::uint32_t m;
  std::uint32_t ef_construction;
  std::uint32_t ef_search;  // up to kRowsOfEf rows
  float oversampling;
};
constexpr ProfileRow kProfiles[] = {
    {Profile::kBalanced, Codes::kInt4Residual, 16, 100, 64, 1.0f},
    {Profile::kFast, Codes::kInt4Residual, 24, 100, 64, 1.0f},
    {Profile::kSmall, Codes::kInt4, 12, 100, 64, 4.0f},
};
// Beyond so many rows a walk has to look further for the same recall.
constexpr double kRowsOfEf = 100'000;
constexpr double kEfPerDoubling = 1.15;

const ProfileRow& row_of(Profile profile) {
  for (const ProfileRow& row : kProfiles) {
    if (row.profile == profile) return row;
  }
  return kProfiles[0];
}

template <class T>
struct Name {
  T value;
  std::string_view name;
};
constexpr std::array kProfileNames = {Name{Profile::kBalanced, "balanced"}, Name{Profile::kFast, "fast"},
                                      Name{Profile::kSmall, "small"}};
constexpr std::array kCodesNames = {Name{Codes::kInt4Residual, "int4+residual"}, Name{Codes::kInt4, "int4"},
                                    Name{Codes::kInt8, "int8"}, Name{Codes::kF32, "f32"}};

template <class Names, class T>
std::string_view name_of(const Names& names, T value) {
  for (const auto& n : names) {
    if (n.value == value) return n.name;
  }
  return "unknown";
}

template <class Names>
auto value_of(std::string_view what, const Names& names, std::string_view name) {
  std::string known;
  for (const auto& n : names) {
    if (n.name == name) return n.value;
    known += concat(known.empty() ? "" : ", ", n.name);
  }
  invalid(what, " '", name.substr(0, 80), "' is unknown; known are ", known);
}

template <class T>
void check_range(std::string_view what, std::string_view name, const std::optional<T>& value, T least,
                 T most) {
  if (value && !(*value >= least && *value <= most))
    invalid(what, name, " is ", *value, "; ", least, " to ", most, " are allowed");
}

std::uint32_t number(std::string_view name, const Metadata& value) {
  if (!value.is_int() || value.as_int() < 0 || value.as_int() > std::numeric_limits<std::uint32_t>::max())
    invalid("index.", name, " is ", value.to_json().substr(0, 80), "; a whole number is wanted");
  return static_cast<std::uint32_t>(value.as_int());
}

std::string_view word(std::string_view name, const Metadata& value) {
  if (!value.is_string())
    invalid("index.", name, " is ", value.to_json().substr(0, 80), "; a name is wanted");
  return value.as_string();
}

void set_member(IndexOptions& out, std::string_view name, const Metadata& value) {
  if (name == "profile") {
    out.profile = parse_profile(word(name, value));
  } else if (name == "codes") {
    out.codes = parse_codes(word(name, value));
  } else if (name == "m") {
    out.m = number(name, value);
  } else if (name == "ef_construction") {
    out.ef_construction = number(name, value);
  } else if (name == "ef_search") {
    out.ef_search = number(name, value);
  } else if (name == "oversampling") {
    if (!value.is_number())
      invalid("index.oversampling is ", value.to_json().substr(0, 80), "; a number is wanted");
    out.oversampling = static_cast<float>(value.as_double());
  } else if (name == "sparse_codes") {
    out.sparse_codes = parse_codes(word(name, value));
  } else {
    invalid(
        "index: '", name.substr(0, 80),
        "' is unknown; known are profile, codes, m, ef_construction, ef_search, oversampling, sparse_codes");
  }
}

/// The number that a person wrote: 1.1, not the nearest float's 1.10000002384.
double shortest(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  double out = 0;
  std::from_chars(digits, end, out);
  return out;
}

}  // namespace

std::string_view to_string(Profile profile) { return name_of(kProfileNames, profile); }
std::string_view to_string(Codes codes) { return name_of(kCodesNames, codes); }
Profile parse_profile(std::string_view name) { return value_of("profile", kProfileNames, name); }
Codes parse_codes(std::string_view name) { return value_of("codes", kCodesNames, name); }

IndexSettings index_settings(const IndexOptions& options, std::uint64_t rows) {
  const ProfileRow& row = row_of(options.profile);
  IndexSettings out;
  out.profile = options.profile;
  out.codes = options.codes.value_or(row.codes);
  out.sparse_codes = options.sparse_codes.value_or(Codes::kF32);
  if (!out.has_graph()) return out;
  const double doublings = std::max(0.0, std::log2(static_cast<double>(rows) / kRowsOfEf));
  const double ef = row.ef_search * std::pow(kEfPerDoubling, doublings);
  out.m = options.m.value_or(row.m);
  out.ef_construction = options.ef_construction.value_or(row.ef_construction);
  out.ef_search = options.ef_search.value_or(static_cast<std::uint32_t>(ef));
  // What 4 bits alone find has to be looked at with more of them, whatever the profile.
  const ProfileRow& small = row_of(Profile::kSmall);
  out.oversampling =
      options.oversampling.value_or(out.codes == small.codes ? small.oversampling : row.oversampling);
  return out;
}

void check_index_options(std::string_view what, const IndexOptions& o) {
  if (to_string(o.profile) == "unknown") invalid(what, "profile is no profile");
  if (o.codes && to_string(*o.codes) == "unknown") invalid(what, "codes are no codes");
  if (o.sparse_codes && *o.sparse_codes != Codes::kF32 && *o.sparse_codes != Codes::kInt8)
    invalid(what, "sparse_codes are '", to_string(*o.sparse_codes), "'; 'f32' and 'int8' are allowed");
  check_range(what, "m", o.m, kMinM, kMaxM);
  check_range(what, "ef_construction", o.ef_construction, kMinEfConstruction, kMaxEfConstruction);
  check_range(what, "ef_search", o.ef_search, 1u, kMaxEf);
  check_range(what, "oversampling", o.oversampling, 1.0f, kMaxOversampling);
  if (index_settings(o, 0).has_graph()) return;
  const auto refuse = [&](std::string_view name, const auto& value) {
    if (value)
      invalid(what, name, " is ", *value, ", but codes '", to_string(*o.codes),
              "' are scanned: there is no graph that it could be for");
  };
  refuse("m", o.m);
  refuse("ef_construction", o.ef_construction);
  refuse("ef_search", o.ef_search);
  refuse("oversampling", o.oversampling);
}

Metadata index_metadata(const IndexOptions& o) {
  Metadata out = Metadata::object({{"profile", to_string(o.profile)}});
  if (o.codes) out["codes"] = Metadata(to_string(*o.codes));
  if (o.m) out["m"] = Metadata(*o.m);
  if (o.ef_construction) out["ef_construction"] = Metadata(*o.ef_construction);
  if (o.ef_search) out["ef_search"] = Metadata(*o.ef_search);
  if (o.oversampling) out["oversampling"] = Metadata(shortest(*o.oversampling));
  if (o.sparse_codes) out["sparse_codes"] = Metadata(to_string(*o.sparse_codes));
  return out;
}

IndexOptions read_index_options(const Metadata& stored) {
  IndexOptions out;
  if (!stored.is_object()) return out;
  for (const auto& [name, value] : stored.as_object()) {
    IndexOptions with = out;
    try {
      set_member(with, name, value);
      check_index_options("", with);
      out = with;
    } catch (const Error&) {
      // Of a later version: what it is for is derived data, which this version makes in its own way.
    }
  }
  return out;
}

std::string to_json(const IndexOptions& o) { return index_metadata(o).to_json(); }

IndexOptions parse_index_options(std::string_view json) {
  const Metadata m = Metadata::parse(json);
  if (!m.is_object()) invalid("index: an object is wanted, like {\"profile\": \"fast\"}");
  IndexOptions out;
  for (const auto& [name, value] : m.as_object()) set_member(out, name, value);
  check_index_options("index.", out);
  return out;
}

}  // namespace vecstore

// What a filter asks for, checked against what is known of the records: declared types and names that were
// ever used.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metadata_names.hpp"
#include "vecstore/filter.hpp"

namespace vecstore {

/// The fields that the filter uses, each once, in their order, without [*] and with ANY's paths in full
/// ("items.price"). A record's own fields (_id, ...) are not among them.
std::vector<std::string> filter_fields(const Filter& filter);

/// The type that the schema declares for a field; nothing when it declares none.
using DeclaredType = std::function<std::optional<Metadata::Type>(std::string_view path)>;

/// kInvalidArgument when a declared field, or one of a record's own, is compared with a value of another
/// type. Integers and doubles are one type here, a date is a string; a declared array or object is not
/// checked.
void check_filter_types(const Filter& filter, const DeclaredType& declared);

/// One warning "field 'foo' not seen" for each field of which `seen` says that no record ever had it.
std::vector<std::string> unknown_field_warnings(const Filter& filter,
                                                const std::function<bool(std::string_view path)>& seen);
/// The same from the collection's table: a field is unknown when one of its names is not in it.
std::vector<std::string> unknown_field_warnings(const Filter& filter, const FieldNames& names);

}  // namespace vecstore

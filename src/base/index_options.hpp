// IndexOptions as they are stored with a collection.
#pragma once
#include "vecstore/index_options.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore {

/// An object of what is given, see to_json.
Metadata index_metadata(const IndexOptions& options);
/// The inverse for stored options. Members that are missing, unknown or out of range have their defaults, so
/// that a collection opens whichever version wrote it.
IndexOptions read_index_options(const Metadata& stored);

}  // namespace vecstore

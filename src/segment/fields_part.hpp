// The metadata of rows by path and value, as shards and queries use it: segments have a part of it, and the
// newest rows.
#pragma once
#include "index/field/aggregate.hpp"
#include "index/field/evaluate.hpp"
#include "index/field/field_part.hpp"
#include "index/field/part_builder.hpp"
#include "index/field/part_merge.hpp"
#include "index/field_query.hpp"

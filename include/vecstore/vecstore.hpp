// The whole public interface.
#pragma once
#include "vecstore/collection.hpp"
#include "vecstore/error.hpp"
#include "vecstore/filter.hpp"
#include "vecstore/metadata.hpp"
#include "vecstore/metric.hpp"
#include "vecstore/models.hpp"
#include "vecstore/options.hpp"
#include "vecstore/query.hpp"
#include "vecstore/record.hpp"
#include "vecstore/text.hpp"
#include "vecstore/vec_database.hpp"
#include "vecstore/vec_store.hpp"

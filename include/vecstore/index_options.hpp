// How a vector field is indexed: profiles, and what the expert sets singly.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vecstore {

/// A ready choice of everything in IndexOptions. The names are stored on disk and frozen.
///
/// | profile   | what it is for                                     | file bytes per vector of 384 |
/// |-----------|----------------------------------------------------|------------------------------|
/// | kBalanced | the default: quick, small, quickly built           | about 750                    |
/// | kFast     | more links: fewer steps per query, slower to build | about 810                    |
/// | kSmall    | no copy for rescoring, fewer links                 | about 330                    |
enum class Profile : std::uint8_t { kBalanced = 1, kFast = 2, kSmall = 3 };

/// What stands for a vector in the index. The names are stored on disk and frozen.
///
/// | codes         | name            | bytes per component | search                                        |
/// |---------------|-----------------|---------------------|-----------------------------------------------|
/// | kInt4Residual | "int4+residual" | 1.5                 | graph walked on 4 bits, rescored with 12 bits |
/// | kInt4         | "int4"          | 0.5                 | graph walked on 4 bits                        |
/// | kInt8         | "int8"          | 1                   | codes scanned, exact by proven bounds         |
/// | kF32          | "f32"           | 0                   | vectors scanned, exact; nothing beside them   |
///
/// Whatever the codes, scores are those of the full vectors, unless a query says exact_scores(false): then
/// what is found has the codes' scores and their order. Cosines of kInt4Residual are off by some
/// ten-thousandths, those of kInt4 by some hundredths (up to 0.06 with 48 dimensions), which costs kInt4 a
/// sixth of its recall there; dot products by as much of the product of the lengths.
///
/// Of a vector's sparse part (IndexOptions::sparse_codes):
///
/// | codes | bytes per entry | search                                                                     |
/// |-------|-----------------|----------------------------------------------------------------------------|
/// | kF32  | about 4.8       | exact: 8-bit codes choose, the values beside them decide                   |
/// | kInt8 | about 1.8       | ranked by 8-bit codes alone; exact for a query that says exact(), by proven |
/// |       |                 | bounds and more of the full vectors                                        |
///
/// A code stands for a multiple of 1/255 of the largest value of its index in the same segment, and so is off
/// by 1/510 of that value at most (by 1/255 where it stands for a value below 1/510 of it). A score of codes
/// alone is off by the sum of these, each times the query's value. The newest rows, which are in no segment
/// yet, have their full values.
enum class Codes : std::uint8_t { kInt4Residual = 1, kInt4 = 2, kInt8 = 3, kF32 = 4 };

std::string_view to_string(Profile profile);
std::string_view to_string(Codes codes);
/// The inverse; throw kInvalidArgument that lists the names.
Profile parse_profile(std::string_view name);
Codes parse_codes(std::string_view name);

/// How one vector field is indexed, in its dense and its sparse part. The profile decides everything; what is
/// given beside it takes its place. m, ef_construction, ef_search and oversampling belong to graphs: with
/// kInt8 or kF32 they are refused.
struct IndexOptions {
  Profile profile = Profile::kBalanced;
  std::optional<Codes> codes;
  std::optional<std::uint32_t> m;                ///< A row is linked to at most 2 m others. 2 to 64.
  std::optional<std::uint32_t> ef_construction;  ///< Near rows looked at for a row's links. 8 to 4,096.
  std::optional<std::uint32_t> ef_search;        ///< Of queries that do not say `ef`. 1 to 65,536.
  /// Of queries that do not say it: at least so many times k candidates are scored with their full vectors.
  /// 1 to 100.
  std::optional<float> oversampling;
  /// What stands for the values of the vector's sparse part: kF32, which every profile has, or kInt8.
  std::optional<Codes> sparse_codes;

  bool operator==(const IndexOptions&) const = default;
};

inline constexpr std::uint32_t kMinM = 2, kMaxM = 64;
inline constexpr std::uint32_t kMinEfConstruction = 8, kMaxEfConstruction = 4096;
inline constexpr std::uint32_t kMaxEf = 65'536;
inline constexpr float kMaxOversampling = 100;

/// IndexOptions with everything decided.
struct IndexSettings {
  Profile profile = Profile::kBalanced;
  Codes codes = Codes::kInt4Residual;
  std::uint32_t m = 0;  ///< This and what follows: 0 without a graph.
  std::uint32_t ef_construction = 0;
  std::uint32_t ef_search = 0;
  float oversampling = 0;
  Codes sparse_codes = Codes::kF32;  ///< kF32 or kInt8.

  /// Whether segments get graphs.
  bool has_graph() const noexcept { return codes == Codes::kInt4Residual || codes == Codes::kInt4; }
  bool operator==(const IndexSettings&) const = default;
};

/// What `options` come to in a collection of about `rows`, which decide about ef_search only. The options
/// have been checked.
IndexSettings index_settings(const IndexOptions& options, std::uint64_t rows);

/// Throws kInvalidArgument that names the member, its value and the limits; `what` begins its name.
void check_index_options(std::string_view what, const IndexOptions& options);

/// {"profile": "fast", "m": 32}: what is given and nothing else.
std::string to_json(const IndexOptions& options);
/// The inverse, checked: kInvalidArgument names what is unknown or out of range.
IndexOptions parse_index_options(std::string_view json);

}  // namespace vecstore

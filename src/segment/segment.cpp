#include "segment/segment.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "quant/row_codes.hpp"
#include "segment/flat_part.hpp"
#include "segment/graph_part.hpp"
#include "segment/sketch_part.hpp"
#include "vecstore/options.hpp"

namespace vecstore::segment {
namespace {

constexpr std::size_t kMaxParts = 64;  // as many as a collection has vector fields
constexpr std::size_t kRowsPerCheck = 1024;
constexpr std::size_t kSectionsPerPart = 32;
constexpr std::size_t kRowSections = 4;  // of ids and of fields

io::IndexFileInfo file_info(const SegmentIdentity& identity) {
  io::IndexFileInfo info;
  info.kind = kSegmentFile;
  info.store_uuid = identity.store_uuid;
  info.collection = identity.collection;
  info.covers_sequence = identity.sequence;
  return info;
}

/// Stands for rows that are read from the truth.
class NoPart final : public VectorPart {
 public:
  PartKind kind() const override { return PartKind::kNothing; }
  std::size_t rows() const override { return 0; }
  void search(const PartQuery&, Context&, std::vector<PartCandidate>&) const override {
    fail(ErrorCode::kCorruption, "a part without index cannot be searched");
  }
  std::span<const std::uint64_t> row_numbers() const override { return {}; }
};

std::string file_name(std::uint64_t number) { return concat(number, ".vsx"); }

std::unique_ptr<const VectorPart> open_part(const std::shared_ptr<const io::IndexFile>& file,
                                            const PartMeta& meta, RowRange range) {
  switch (static_cast<PartKind>(meta.kind)) {
    case PartKind::kFlat:
    case PartKind::kScanned:
      return std::make_unique<FlatPart>(file, meta);
    case PartKind::kGraph:
      return std::make_unique<GraphPart>(file, meta, range);
    case PartKind::kSketched:
      return std::make_unique<SketchPart>(file, meta);
    case PartKind::kNothing:
      return std::make_unique<NoPart>();
  }
  fail(ErrorCode::kUnsupportedFormat, file->path(), ": a part of unknown kind ", meta.kind);
}

}  // namespace

std::shared_ptr<const Segment> Segment::open(const std::string& path, const SegmentIdentity& expected) {
  auto segment = std::make_shared<Segment>();
  segment->file_ = io::IndexFile::open(path);
  const io::IndexFile& file = *segment->file_;
  const auto damaged = [&](auto&&... what) { fail(ErrorCode::kCorruption, path, ": ", what...); };
  file.expect(kSegmentFile, expected.store_uuid, expected.collection);
  const auto bytes = file.read(kMetaSection);
  SegmentMeta meta;
  std::uint32_t version = 0;  // first in every format
  if (bytes.size() < sizeof version) damaged("its meta section is cut off");
  std::memcpy(&version, bytes.data(), sizeof version);
  if (version != kMetaVersion)
    fail(ErrorCode::kUnsupportedFormat, path, ": format ", version, " of a segment; this version reads ",
         kMetaVersion);
  if (bytes.size() < sizeof meta) damaged("its meta section is cut off");
  std::memcpy(&meta, bytes.data(), sizeof meta);
  if (meta.parts > kMaxParts || meta.sparse > kMaxParts ||
      bytes.size() != sizeof meta + meta.parts * sizeof(PartMeta) + meta.sparse * sizeof(SparseMeta))
    damaged("its meta section names ", meta.parts, " parts and ", meta.sparse, " of sparse vectors");
  if (meta.number != expected.number || meta.first_row != expected.first_row ||
      meta.end_row != expected.end_row || file.info().covers_sequence != expected.sequence) {
    damaged("is segment ", meta.number, " of rows ", meta.first_row, " to ", meta.end_row, ", not segment ",
            expected.number, " of rows ", expected.first_row, " to ", expected.end_row);
  }
  for (std::uint32_t i = 0; i < meta.parts; ++i) {
    PartMeta part;
    std::memcpy(&part, bytes.data() + sizeof meta + i * sizeof part, sizeof part);
    if (part.metric < 1 || part.metric > static_cast<std::uint32_t>(Metric::kEuclidean) ||
        part.dimension == 0 || part.dimension > 65'536 || part.rows > meta.end_row - meta.first_row ||
        part.field > 0xffff) {
      damaged("part ", i, " is out of range");
    }
    segment->parts_.push_back({part, open_part(segment->file_, part, {meta.first_row, meta.end_row})});
  }
  segment->terms_ = meta.terms;
  if (meta.documents > meta.end_row - meta.first_row || (meta.terms == 0 && meta.documents > 0))
    damaged("its meta section names ", meta.documents, " documents");
  if (meta.documents > 0) {
    segment->texts_ =
        std::make_unique<TermsPart>(segment->file_, kTermSections, meta.first_row, meta.end_row);
    if (segment->texts_->terms().documents() != meta.documents)
      damaged("its terms are of ", segment->texts_->terms().documents(), " documents, not ", meta.documents);
  }
  for (std::uint32_t i = 0; i < meta.sparse; ++i) {
    SparseMeta part;
    std::memcpy(&part, bytes.data() + sizeof meta + meta.parts * sizeof(PartMeta) + i * sizeof part,
                sizeof part);
    const std::uint64_t rows = meta.end_row - meta.first_row;
    if (part.field > 0xffff || part.documents > rows || part.apart > rows - part.documents)
      damaged("part ", i, " of sparse vectors is out of range");
    segment->sparse_.push_back(
        std::make_unique<SparsePart>(segment->file_, part, meta.first_row, meta.end_row));
  }
  if (meta.ids > meta.end_row - meta.first_row) damaged("its meta section names ", meta.ids, " ids");
  segment->ids_ = std::make_unique<IdsPart>(segment->file_, meta.first_row, meta.end_row, meta.ids);
  if (meta.fields > 1) damaged("its meta section says ", meta.fields, " of metadata");
  if (meta.fields == 1) {
    segment->fields_ = std::make_unique<fields::FieldPart>(segment->file_, kFieldsSection);
    if (segment->fields_->span() != meta.end_row - meta.first_row)
      damaged("its fields are of ", segment->fields_->span(), " rows");
  }
  return segment;
}

const SparsePart* Segment::sparse(std::uint16_t field) const {
  const auto at =
      std::find_if(sparse_.begin(), sparse_.end(), [=](const auto& p) { return p->meta().field == field; });
  return at == sparse_.end() ? nullptr : at->get();
}

const Segment::PartEntry* Segment::find(std::uint16_t field) const {
  const auto at =
      std::find_if(parts_.begin(), parts_.end(), [=](const PartEntry& p) { return p.meta.field == field; });
  return at == parts_.end() ? nullptr : &*at;
}

const VectorPart* Segment::vectors(std::uint16_t field) const {
  const PartEntry* entry = find(field);
  return entry ? entry->part.get() : nullptr;
}

bool Segment::warm_up(Context& context) const {
  return ids_->warm_up() || (fields_ && fields_->warm_up()) ||
         std::any_of(parts_.begin(), parts_.end(),
                     [&](const PartEntry& p) { return p.part->warm_up(context); });
}

std::span<const std::uint64_t> Segment::unreadable(std::uint32_t section) const {
  if (!file_->has_section(section)) return {};
  return file_->array<std::uint64_t>(section);
}

std::span<const std::uint64_t> Segment::unreadable_texts() const {
  return unreadable(kTermSections + kUnreadableSection);
}

std::span<const std::uint64_t> Segment::unreadable_sparse(std::uint16_t field) const {
  return unreadable(sparse_section(field, kUnreadableSection));
}

void Segment::verify(const Context& context) const {
  const auto damaged = file_->verify(context);
  if (!damaged.empty())
    fail(ErrorCode::kCorruption, file_->path(), ": ", damaged.size(), " of its blocks of 64 KiB are damaged");
  ids_->verify(context);
  if (fields_) fields_->warm_up();
  if (texts_) texts_->verify(context);
  for (const auto& part : sparse_) part->verify(context);
}

SegmentWriter::SegmentWriter(const std::string& directory, const SegmentIdentity& identity,
                             std::size_t fields)
    : identity_(identity),
      file_(directory, file_name(identity.number), file_info(identity),
            static_cast<std::uint32_t>(2 + kRowSections + fields * kSectionsPerPart +
                                       inverted::kPartSections)) {}

void SegmentWriter::add_flat(std::uint16_t field, Metric metric, std::size_t dimension,
                             const VectorRows& rows, const Context& context, const PartBuild& build,
                             PartKind kind) {
  RowEncoder encoder(metric, dimension);
  std::vector<std::uint64_t> numbers;
  std::vector<std::uint8_t> group(code_group_bytes(metric, dimension));
  const auto flush = [&] {
    file_.append(std::as_bytes(std::span(group)));
    std::fill(group.begin(), group.end(), std::uint8_t{0});
  };
  bool begun = false;
  rows([&](const SourceRow& row) {
    if (!begun) file_.begin(vector_section(field, kGroupsSection));
    begun = true;
    if (numbers.size() % kRowsPerCheck == 0) context.check();
    const std::size_t lane = numbers.size() % simd::kGroupRows;
    encoder.encode(row.vector, row.inverse_norm, group.data(), lane);
    numbers.push_back(row.row);
    if (lane + 1 == simd::kGroupRows) flush();
  });
  if (numbers.empty()) return;
  parts_.push_back({field, static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(metric),
                    static_cast<std::uint32_t>(dimension), numbers.size(), build});
  rows_ = std::max<std::uint64_t>(rows_, numbers.size());
  if (numbers.size() % simd::kGroupRows != 0) flush();
  while (numbers.size() % simd::kGroupRows != 0) numbers.push_back(kNoRow);
  file_.add(vector_section(field, kRowsSection), std::as_bytes(std::span(numbers)));
}

bool SegmentWriter::add_sketches(std::uint16_t field, Metric metric, std::size_t dimension,
                                 const VectorRows& rows, const PartBuild& build, const Context& context) {
  SketchEncoder encoder(dimension);
  const std::size_t group_words = encoder.rotation().group_words();
  const std::size_t fine_words = encoder.rotation().fine_words();
  std::vector<std::uint64_t> numbers, groups, fine;
  std::vector<float> norms(kNormsHeader);
  bool all = true;
  rows([&](const SourceRow& row) {
    if (numbers.size() % kRowsPerCheck == 0) context.check();
    all = all && row.inverse_norm > 0;
    if (!all) return;
    const std::size_t lane = numbers.size() % simd::kSketchRows;
    if (lane == 0) groups.resize(groups.size() + group_words);
    fine.resize(fine.size() + fine_words);
    encoder.encode(row.vector, row.inverse_norm, groups.data() + groups.size() - group_words, lane,
                   fine.data() + fine.size() - fine_words);
    numbers.push_back(row.row);
    norms.push_back(1 / row.inverse_norm);
    norms[0] = std::max(norms[0], norms.back());
  });
  if (!all) return false;
  if (numbers.empty()) return true;
  parts_.push_back({field, static_cast<std::uint32_t>(PartKind::kSketched),
                    static_cast<std::uint32_t>(metric), static_cast<std::uint32_t>(dimension), numbers.size(),
                    build});
  rows_ = std::max<std::uint64_t>(rows_, numbers.size());
  for (; numbers.size() % simd::kSketchRows != 0; norms.push_back(0)) numbers.push_back(kNoRow);
  fine.resize(numbers.size() * fine_words);
  file_.add(vector_section(field, kRowsSection), std::as_bytes(std::span(numbers)));
  file_.add(vector_section(field, kSketchesSection), std::as_bytes(std::span(groups)));
  file_.add(vector_section(field, kFineSection), std::as_bytes(std::span(fine)));
  if (metric == Metric::kDot)
    file_.add(vector_section(field, kNormsSection), std::as_bytes(std::span(norms)));
  return true;
}

void SegmentWriter::add_graph(std::uint16_t field, const HnswIndex& index,
                              std::span<const std::uint64_t> rows, const PartBuild& build,
                              const Context& context) {
  parts_.push_back({field, static_cast<std::uint32_t>(PartKind::kGraph),
                    static_cast<std::uint32_t>(index.metric()), static_cast<std::uint32_t>(index.dimension()),
                    rows.size(), build});
  rows_ = std::max<std::uint64_t>(rows_, rows.size());
  file_.add(vector_section(field, kRowsSection), std::as_bytes(rows));
  index.write(file_, vector_section(field, kGraphSection), context);
}

void SegmentWriter::add_nothing(std::uint16_t field, Metric metric, std::size_t dimension, std::uint64_t rows,
                                const PartBuild& build) {
  parts_.push_back({field, static_cast<std::uint32_t>(PartKind::kNothing), static_cast<std::uint32_t>(metric),
                    static_cast<std::uint32_t>(dimension), rows, build});
}

void SegmentWriter::add_texts(TextPartBuilder& texts, const Context& context) {
  terms_ = terms_fingerprint(texts.fields());
  documents_ = texts.terms().documents();
  if (documents_ > 0) texts.terms().write(file_, kTermSections, context);
  rows_ = std::max(rows_, documents_);
}

std::uint64_t SegmentWriter::take_live(const TermsPart& part, const RetiredBits& retired,
                                       std::vector<inverted::MergeInput>& inputs,
                                       std::vector<std::shared_ptr<const std::vector<std::uint64_t>>>& live) {
  const std::uint64_t left = part.terms().documents() - part.retired(retired);
  if (left == 0) return 0;
  live.push_back(part.live(retired));
  inputs.push_back({&part.terms(), live.back()->empty() ? nullptr : live.back()->data()});
  return left;
}

void SegmentWriter::merge_texts(std::span<const TermsPart* const> parts, std::uint64_t terms,
                                const RetiredBits& retired, const Context& context) {
  std::vector<inverted::MergeInput> inputs;
  std::vector<std::shared_ptr<const std::vector<std::uint64_t>>> live;
  for (const TermsPart* part : parts) documents_ += take_live(*part, retired, inputs, live);
  terms_ = terms;
  if (documents_ > 0) inverted::merge_parts(inputs, file_, kTermSections, context);
  rows_ = std::max(rows_, documents_);
}

void SegmentWriter::end_sparse(const SparseMeta& meta, std::span<const std::uint64_t> apart) {
  if (meta.apart > 0)
    file_.add(sparse_section(static_cast<std::uint16_t>(meta.field), kApartSection), std::as_bytes(apart));
  if (meta.documents + meta.apart > 0) sparse_.push_back(meta);
  rows_ = std::max(rows_, meta.documents + meta.apart);
}

void SegmentWriter::add_sparse(std::uint16_t field, SparseRowsBuilder& vectors, bool codes,
                               const Context& context) {
  const SparseMeta meta{field, 0, vectors.plain_.documents(), vectors.apart_.size()};
  if (meta.documents > 0) vectors.plain_.write(file_, sparse_section(field, 0), context, codes);
  end_sparse(meta, vectors.apart_);
  vectors.apart_.clear();
}

void SegmentWriter::merge_sparse(std::uint16_t field, std::span<const SparsePart* const> parts,
                                 const RetiredBits& retired, bool codes, const Context& context) {
  std::vector<inverted::MergeInput> inputs;
  std::vector<std::shared_ptr<const std::vector<std::uint64_t>>> live;
  std::vector<std::uint64_t> apart;
  SparseMeta meta;
  meta.field = field;
  for (const SparsePart* part : parts) {
    if (part->terms()) meta.documents += take_live(*part->terms(), retired, inputs, live);
    for (const std::uint64_t row : part->apart()) {
      if (!retired.contains(row)) apart.push_back(row);
    }
  }
  meta.apart = apart.size();
  if (meta.documents > 0) inverted::merge_parts(inputs, file_, sparse_section(field, 0), context, codes);
  end_sparse(meta, apart);
}

void SegmentWriter::add_some_ids(IdsBuilder& ids) {
  if (!ids_begun_) file_.begin(kIdRecordsSection);
  ids_begun_ = true;
  const std::string records = ids.take();
  file_.append(std::as_bytes(std::span(records)));
}

void SegmentWriter::add_ids(IdsBuilder& ids) {
  ids_ = ids.rows();
  if (ids_ == 0) return;
  const auto& groups = ids.finish();
  add_some_ids(ids);
  file_.add(kIdGroupsSection, std::as_bytes(std::span(groups)));
}

void SegmentWriter::write_fields(const std::function<void(fields::FieldPartWriter&)>& write) {
  has_fields_ = true;
  file_.begin(kFieldsSection);
  fields::FieldPartWriter out(static_cast<std::uint32_t>(identity_.end_row - identity_.first_row),
                              [&](std::string_view bytes) { file_.append(as_byte_span(bytes)); });
  write(out);
  file_.add(kFieldsSection + 1, as_byte_span(out.directory()));
}

void SegmentWriter::add_fields(fields::FieldPartBuilder& fields) {
  write_fields([&](fields::FieldPartWriter& out) { fields.write(out); });
}

void SegmentWriter::merge_fields(std::span<const fields::MergeInput> parts, const Context& context) {
  write_fields([&](fields::FieldPartWriter& out) { fields::merge_parts(parts, out, context); });
}

void SegmentWriter::add_unreadable_texts(std::span<const std::uint64_t> rows) {
  if (!rows.empty()) file_.add(kTermSections + kUnreadableSection, std::as_bytes(rows));
}

void SegmentWriter::add_unreadable_sparse(std::uint16_t field, std::span<const std::uint64_t> rows) {
  if (!rows.empty()) file_.add(sparse_section(field, kUnreadableSection), std::as_bytes(rows));
}

std::uint64_t SegmentWriter::finish(bool durable) {
  SegmentMeta meta;
  meta.parts = static_cast<std::uint32_t>(parts_.size());
  meta.number = identity_.number;
  meta.first_row = identity_.first_row;
  meta.end_row = identity_.end_row;
  meta.terms = terms_;
  meta.documents = documents_;
  meta.sparse = static_cast<std::uint32_t>(sparse_.size());
  meta.fields = has_fields_ ? 1 : 0;
  meta.ids = ids_;
  file_.begin(kMetaSection);
  file_.append(std::as_bytes(std::span(&meta, 1)));
  file_.append(std::as_bytes(std::span(parts_)));
  file_.append(std::as_bytes(std::span(sparse_)));
  return file_.finish(durable);
}

}  // namespace vecstore::segment

// Collection: texts, which are embedded on the way in.
#include <array>

#include "base/error.hpp"
#include "db/admission.hpp"
#include "db/collection_impl.hpp"

namespace vecstore {
namespace {

void report(const BatchOptions& options, std::size_t done, std::size_t total) {
  if (options.progress) options.progress({done, total, "embedding and storing"});
  if (options.stop.stop_requested())
    fail(ErrorCode::kCancelled, "the call was cancelled after ", done, " of ", total);
}

std::vector<db::Write> upserts(const std::vector<Record>& records) {
  std::vector<db::Write> out;
  out.reserve(records.size());
  for (const Record& r : records) out.push_back({Operation::Kind::kUpsert, &r});
  return out;
}

}  // namespace

void Collection::Impl::set_embedder(const Embedder& model) {
  std::lock_guard lock(mutex_);
  embedder_ = model;
}

Embedder Collection::Impl::embedder(const Embedder& given) {
  std::string wanted;
  std::string fingerprint;
  {
    const shard::ReadView view(*shard_);
    wanted = view.schema().embedder_name;
    fingerprint = view.schema().embedder_fingerprint;
  }
  const auto check = [&](const Embedder& model) {
    if (!fingerprint.empty() && model.fingerprint() != fingerprint) {
      invalid("embedder '", model.name(), "' has fingerprint ", model.fingerprint(), "; collection '", name(),
              "' was made with '", wanted, "', ", fingerprint);
    }
  };
  if (given) {
    check(given);
    return given;
  }
  if (fingerprint.empty())
    invalid("collection '", name(), "' has no embedder: pass one, or give it to create_collection");
  std::lock_guard lock(mutex_);
  if (!embedder_) {
    const std::array<std::string, 1> dirs = {directory_ + "/models"};
    const Embedder found = load_embedder(wanted, dirs);
    check(found);
    embedder_ = found;
  }
  return embedder_;
}

SequenceNumber Collection::upsert_text(std::string_view id, std::string_view text, Metadata metadata) {
  return upsert_text(id, text, Embedder{}, std::move(metadata));
}

SequenceNumber Collection::upsert_text(std::string_view id, std::string_view text, const Embedder& model,
                                       Metadata metadata) {
  db::check_id(id);
  const Embedder embedder = impl_->embedder(model);
  Record record;
  record.id = id;
  record.text = text;
  record.metadata = std::move(metadata);
  record.vector = Vector(embedder.embed(text));
  return impl_->execute(std::array{db::Write{Operation::Kind::kUpsert, &record}}, false, nullptr, embedder)
      .sequence;
}

SequenceNumber Collection::batch_upsert_texts(std::span<const std::string> texts,
                                              const TextMetadata& metadata, const BatchOptions& options) {
  if (options.batch_size == 0 || options.batch_size > db::kMaxBatchRecords) {
    invalid("batch_size is ", options.batch_size, "; 1 to ", db::kMaxBatchRecords, " are allowed");
  }
  const Embedder embedder = impl_->embedder({});
  SequenceNumber sequence = stats().sequence;
  for (std::size_t from = 0; from < texts.size();) {
    report(options, from, texts.size());
    const std::size_t count = std::min(options.batch_size, texts.size() - from);
    std::vector<std::string_view> views(texts.begin() + static_cast<std::ptrdiff_t>(from),
                                        texts.begin() + static_cast<std::ptrdiff_t>(from + count));
    std::vector<std::vector<float>> vectors = embedder.embed_batch(views);
    std::vector<Record> records(count);
    for (std::size_t i = 0; i < count; ++i) {
      Record& r = records[i];
      r.text = texts[from + i];
      if (metadata) r.metadata = metadata(texts[from + i], from + i);
      const Metadata& id = std::as_const(r.metadata)["_id"];
      r.id = id.is_string() ? id.as_string() : std::to_string(from + i);
      r.metadata.erase("_id");
      r.vector = Vector(std::move(vectors[i]));
    }
    try {
      sequence = impl_->execute(upserts(records), true, nullptr, embedder).sequence;
    } catch (const Error& e) {
      if (!e.item()) throw;
      const std::string message = e.what();
      throw Error(e.code(), message.substr(message.find(": ") + 2), from + *e.item());
    }
    from += count;
  }
  report(options, texts.size(), texts.size());
  return sequence;
}

SequenceNumber Collection::upsert_chunks(std::string_view source, std::span<const Chunk> chunks,
                                         const Embedder& model, const ChunkMetadata& metadata,
                                         const BatchOptions& options) {
  if (source.empty()) invalid("source is empty");
  const bool embed = !chunks.empty() && (model || !info().embedder_fingerprint.empty());
  const Embedder embedder = embed ? impl_->embedder(model) : Embedder{};
  std::vector<Record> records(chunks.size());
  const std::size_t step = std::max<std::size_t>(options.batch_size, 1);
  for (std::size_t from = 0; from < chunks.size(); from += step) {
    report(options, from, chunks.size());
    const std::size_t count = std::min(step, chunks.size() - from);
    std::vector<std::vector<float>> vectors;
    if (embed) {
      std::vector<std::string_view> views;
      for (const Chunk& c : chunks.subspan(from, count)) views.push_back(c.text);
      vectors = embedder.embed_batch(views);
    }
    for (std::size_t i = from; i < from + count; ++i) {
      const Chunk& c = chunks[i];
      Record& r = records[i];
      r.id = concat(source, "#", i);
      r.text = c.text;
      r.metadata = metadata ? metadata(c, i) : c.metadata;
      r.source = source;
      r.start = c.start_byte;
      r.end = c.end_byte;
      r.part = static_cast<std::uint32_t>(i);
      if (embed) r.vector = Vector(std::move(vectors[i - from]));
    }
  }
  const std::string name(source);
  const SequenceNumber sequence = impl_->execute(upserts(records), true, &name, embedder).sequence;
  report(options, chunks.size(), chunks.size());
  return sequence;
}

}  // namespace vecstore

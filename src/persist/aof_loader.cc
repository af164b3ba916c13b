#include "persist/aof_loader.h"

#include <array>
#include <chrono>
#include <thread>

#include "base/log.h"

namespace vitrine {

namespace {

constexpr size_t kBatch = 64;
constexpr uint64_t kErrorsTold = 10;

using Nothing = std::expected<void, std::string>;

std::unexpected<std::string> problem(std::string text) { return std::unexpected(std::move(text)); }

}  // namespace

// For the time of a load.
class AofLoader::Hold {
 public:
  explicit Hold(Keyspace& keyspace) : keyspace_(keyspace), stats_(keyspace.stats()) { keyspace.hold_expiry(true); }
  ~Hold() {
    keyspace_.hold_expiry(false);
    keyspace_.stats() = stats_;   // what was replayed was counted when it was done
  }

 private:
  Keyspace& keyspace_;
  Keyspace::Stats stats_;
};

AofLoader::Result<std::optional<AofManifest>> AofLoader::find(const AofPlace& place) {
  auto manifest = read_aof_manifest(files_, place.manifest());
  if (!manifest) return manifest;
  is_outside_ = is_unnamed_ = false;
  if (!*manifest) return find_single_file(place);
  const auto& base = (*manifest)->base();
  // The start that took it over was stopped before it could move the file.
  is_outside_ = base && base->name == place.prefix && !files_.exists(place.path(base->name)) &&
                files_.exists(place.prefix);
  return manifest;
}

AofLoader::Result<std::optional<AofManifest>> AofLoader::find_single_file(const AofPlace& place) {
  bool single = files_.exists(place.prefix);
  if (!single) {
    if (auto refused = refuse_lost_files(place); !refused) return problem(refused.error());
    return std::nullopt;
  }
  if (auto file = files_.open_read(place.prefix); !file) return problem(file.error().text);
  if (files_.exists(place.path(place.prefix)))
    return problem("There is a log in " + place.prefix + " and one in " + place.path(place.prefix) +
                   ", and no manifest says which one counts: move the other one away.");
  AofManifest manifest;
  manifest.replace_base({place.prefix, 1}, 0);
  is_outside_ = is_unnamed_ = true;
  return manifest;
}

// The manifest comes first: then whoever finds the file on its way knows where it belongs.
AofLoader::Result<void> AofLoader::adopt(const AofPlace& place, const AofManifest& manifest) {
  if (is_unnamed_) {
    if (auto made = files_.make_folder(place.folder); !made) return problem(made.error().text);
    if (auto synced = files_.sync_folder("."); !synced) return problem(synced.error().text);
    if (auto written = write_aof_manifest(files_, place.manifest(), manifest); !written)
      return problem(written.error().text);
  }
  return is_outside_ ? move_single_file(place) : Result<void>();
}

AofLoader::Result<void> AofLoader::move_single_file(const AofPlace& place) {
  if (auto moved = files_.rename(place.prefix, place.path(place.prefix)); !moved) return problem(moved.error().text);
  for (const std::string& folder : {place.folder, std::string(".")})
    if (auto synced = files_.sync_folder(folder); !synced) return problem(synced.error().text);
  log(LogLevel::notice, "Successfully migrated an old-style AOF file (%s) into the AOF directory (%s).",
      place.prefix.c_str(), place.folder.c_str());
  return {};
}

// Commands that no manifest names would be overwritten.
AofLoader::Result<void> AofLoader::refuse_lost_files(const AofPlace& place) {
  auto names = files_.list(place.folder);
  if (!names) return {};   // there is no such folder yet; what else is wrong with it shows when it is made
  for (const std::string& name : *names) {
    bool is_ours = name.ends_with(".incr.aof") || name.ends_with(".base.rdb") || name.ends_with(".base.aof");
    if (!name.starts_with(place.prefix + '.') || !is_ours) continue;
    if (files_.size(place.path(name)).value_or(0) == 0) continue;
    return problem("The folder " + place.folder + " holds " + name + ", but the manifest " + place.manifest() +
                   " is not there: put it back, or move the folder away to start without data.");
  }
  return {};
}

AofLoader::Result<std::vector<AofLoader::File>> AofLoader::files_of(const AofPlace& place,
                                                                    const AofManifest& manifest) {
  std::vector<File> files;
  for (const AofFile& each : manifest.files()) {
    bool outside = is_outside_ && each.name == place.prefix;
    File file{each.name, outside ? place.prefix : place.path(each.name)};
    auto bytes = files_.size(file.path);
    if (!bytes) return problem("The manifest " + place.manifest() + " names a file that cannot be read: " +
                               bytes.error().text);
    file.bytes = *bytes;
    if (file.bytes == 0 && must_be_snapshot(file.name))
      return problem("The base file " + file.path + ": " + std::string(kEmptySnapshot));
    file.is_base = files.empty() && manifest.base();
    files.push_back(std::move(file));
  }
  uint64_t behind = 0;
  for (size_t i = files.size(); i-- > 0; behind += files[i].bytes) files[i].is_last = behind == 0;
  return files;
}

AofLoader::Result<AofLoader::Stats> AofLoader::load(const AofPlace& place, const AofManifest& manifest, bool cut_tail,
                                                    bool serve) {
  auto files = files_of(place, manifest);
  if (!files) return problem(files.error());
  stats_ = {};
  uint64_t total = 0;
  for (const File& file : *files) total += file.bytes;
  Loading& loading = snapshots_.loading();
  loading.begin("the append-only log", total, static_cast<uint64_t>(snapshots_.options().loading_events_bytes),
                serve ? snapshots_.on_events : std::function<bool()>());
  snapshots_.changed();
  auto loaded = [&] {
    Hold hold(keyspace_);
    return load_files(*files, cut_tail);
  }();
  loading.end();
  if (loaded) snapshots_.forget_changes();
  snapshots_.changed();
  if (!loaded) return problem(loaded.error());
  return stats_;
}

Nothing AofLoader::load_files(std::vector<File>& files, bool cut_tail) {
  for (File& file : files) {
    if (file.bytes == 0) continue;
    auto start = std::chrono::steady_clock::now();
    snapshots_.loading().continue_with(file.name);
    if (auto loaded = load_file(file, cut_tail); !loaded) return loaded;
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    log(LogLevel::notice, "DB loaded from %s file %s: %.3f seconds", file.is_base ? "base" : "incr",
        file.name.c_str(), seconds);
    stats_.bytes += file.bytes;
    if (file.is_base) stats_.base_bytes = file.bytes;
  }
  return {};
}

Nothing AofLoader::load_file(File& file, bool cut_tail) {
  auto opened = files_.open_read(file.path);
  auto snapshot = opened ? begins_as_snapshot(**opened) : std::unexpected(opened.error());
  if (!snapshot) return problem(snapshot.error().text);
  opened = files_.open_read(file.path);
  if (!opened) return problem(opened.error().text);
  Snapshots::Rest rest;
  if (*snapshot) {
    log(LogLevel::notice, "Reading RDB %s on AOF loading...", file.is_base ? "base file" : "preamble");
    auto content = snapshots_.load_from(**opened, false, &rest);
    if (!content) return problem(file.path + ": " + content.error());
    stats_.keys += content->keys;
    log(LogLevel::notice, "Done loading RDB, keys loaded: %llu, keys expired: %llu.",
        static_cast<unsigned long long>(content->keys), static_cast<unsigned long long>(content->expired));
  }
  AofReader reader(**opened, rest.offset, rest.at_hand);
  Session session(0, nullptr, keyspace_.now_ms());
  session.origin = Origin::aof;
  session.authenticated = true;
  CommandBatch batch;
  Loading& loading = snapshots_.loading();
  uint64_t told = rest.offset;   // the snapshot's part was told of when it was read
  while (reader.read(batch, kBatch)) {
    if (auto replayed = replay(session, reader, batch, file); !replayed) return replayed;
    if (reader.offset() <= told) continue;
    if (!loading.advance(reader.offset() - told)) return problem(Loading::kStopped);
    told = reader.offset();
  }
  stats_.transactions += reader.transactions();
  return settle_end(file, reader, cut_tail);
}

Nothing AofLoader::replay(Session& session, AofReader& reader, const CommandBatch& batch, const File& file) {
  if (int delay_us = snapshots_.options().key_load_delay_us; delay_us > 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us) * batch.size());
    if (!snapshots_.loading().run_events()) return problem(Loading::kStopped);
  }
  if (prepared_.size() < batch.size()) prepared_.resize(batch.size());
  dispatcher_.prepare(batch, prepared_.data());
  for (size_t i = 0; i < batch.size(); i++) {
    auto where = [&] { return file.path + ", byte " + std::to_string(reader.offset_of(batch, i)); };
    auto name = [&] { return std::string(batch[i][0].substr(0, 128)); };
    size_t before = session.out.pending();
    switch (dispatcher_.replay(session, prepared_[i])) {
      case Dispatcher::Replayed::done:
      case Dispatcher::Replayed::skipped: break;
      case Dispatcher::Replayed::failed:
        if (stats_.failed++ < kErrorsTold)
          log(LogLevel::warning, "== CRITICAL == %s: the command '%s', when loaded, was answered with an error: %s",
              where().c_str(), name().c_str(), session.out.text().substr(before, 200).c_str());
        break;
      case Dispatcher::Replayed::unknown:
        return problem("Unknown command '" + name() + "' reading the append only file " + where() +
                       ": a newer server, or another one, has written it.");
      case Dispatcher::Replayed::misplaced:
        return problem("The command '" + name() + "' in the append only file " + where() + " has no place in a log, or "
                       "not that many arguments.");
    }
  }
  stats_.commands += batch.size();
  session.out.clear();
  return {};
}

Nothing AofLoader::settle_end(File& file, const AofReader& reader, bool cut_tail) {
  switch (reader.ending()) {
    case AofReader::Ending::none:
    case AofReader::Ending::whole: return {};
    case AofReader::Ending::unreadable: return problem(reader.sentence());
    case AofReader::Ending::broken:
      return problem("Bad file format reading the append only file " + file.path + ", " + reader.sentence() + ".");
    case AofReader::Ending::cut: break;
  }
  if (!file.is_last)
    return problem("The append only file " + file.path + " ends too early (" + reader.sentence() +
                   "), and it is not the last file: cut, it would lose what the files behind it hold.");
  if (!cut_tail)
    return problem("Unexpected end of file reading the append only file " + file.path + ", " + reader.sentence() +
                   ": aof-load-truncated yes cuts the rest off at the start.");
  log(LogLevel::warning, "!!! Warning: short read while loading the AOF file %s!!! (%s)", file.name.c_str(),
      reader.sentence().c_str());
  log(LogLevel::warning, "!!! Truncating the AOF %s at offset %llu !!!", file.name.c_str(),
      static_cast<unsigned long long>(reader.offset()));
  if (auto done = cut(file, reader.offset()); !done) return done;
  file.bytes = reader.offset();
  log(LogLevel::warning, "AOF %s loaded anyway because aof-load-truncated is enabled", file.name.c_str());
  return {};
}

Nothing AofLoader::cut(const File& file, uint64_t bytes) {
  auto opened = files_.open_append(file.path);
  if (!opened) return problem(opened.error().text);
  if (auto done = (*opened)->truncate(bytes); !done) return problem(done.error().text);
  if (auto done = (*opened)->sync(); !done) return problem(done.error().text);
  return {};
}

}  // namespace vitrine

#include "io/sim.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vitrine {

namespace {

std::unexpected<FileError> error_of(const char* step, const std::string& path, int code) {
  return std::unexpected(FileError{code, std::string(step) + " " + path + ": " + std::strerror(code)});
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

void SimFiles::Content::sync() {
  synced = now;
  clean = now.size();
  for (auto [begin, end] : dropped) std::fill(synced.begin() + begin, synced.begin() + end, '\0');
}

void SimFiles::Content::fail_sync() {
  dropped.emplace_back(clean, now.size());
  clean = now.size();
}

void SimFiles::Content::truncate(size_t bytes) {
  now.resize(bytes);
  clean = std::min(clean, bytes);
  for (auto& [begin, end] : dropped) begin = std::min(begin, bytes), end = std::min(end, bytes);
}

class SimFiles::Appending final : public AppendFile {
 public:
  Appending(SimFiles& disk, std::shared_ptr<Content> content, std::string path)
      : disk_(disk), content_(std::move(content)), path_(std::move(path)) {}

  FileResult<size_t> append(Bytes data) override {
    std::lock_guard lock(disk_.mutex_);
    bool half = disk_.fault_.half && !disk_.half_taken_ && data.size() > 1;
    if (disk_.step_fails()) {
      if (!half) return disk_.error("write", path_);
      disk_.half_taken_ = true;
      disk_.fault_.at = disk_.steps_;   // the next step says why
      data = data.substr(0, data.size() / 2);
    }
    content_->now.append(data);
    return data.size();
  }
  FileResult<void> sync() override {
    std::lock_guard lock(disk_.mutex_);
    if (disk_.step_fails()) return content_->fail_sync(), disk_.error("fsync", path_);
    content_->sync();
    return {};
  }
  void start_sync() override {}
  FileResult<void> truncate(uint64_t bytes) override {
    std::lock_guard lock(disk_.mutex_);
    if (disk_.step_fails()) return disk_.error("truncate", path_);
    content_->truncate(bytes);
    return {};
  }
  uint64_t size() const override {
    std::lock_guard lock(disk_.mutex_);
    return content_->now.size();
  }
  FileResult<void> close() override { return {}; }

 private:
  SimFiles& disk_;
  std::shared_ptr<Content> content_;
  std::string path_;
};

class SimFiles::Reading final : public ReadFile {
 public:
  explicit Reading(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  FileResult<size_t> read(char* to, size_t n) override {
    n = std::min(n, content_->now.size() - at_);
    std::memcpy(to, content_->now.data() + at_, n);
    at_ += n;
    return n;
  }
  uint64_t size() const override { return content_->now.size(); }

 private:
  std::shared_ptr<Content> content_;
  size_t at_ = 0;
};

bool SimFiles::step_fails() {
  int step = steps_++;
  if (fault_.at < 0) return false;
  if (fault_.end_after && step >= fault_.at + fault_.end_after) return true;
  return step == fault_.at || (fault_.from_then_on && step > fault_.at);
}

std::unexpected<FileError> SimFiles::error(const char* step, const std::string& path) const {
  return error_of(step, path, fault_.code);
}

SimFiles::Names* SimFiles::names_of(const std::string& path) {
  auto folder = folders_.find(folder_of(path));
  return folder == folders_.end() ? nullptr : &folder->second.now;
}

std::shared_ptr<SimFiles::Content> SimFiles::find(const std::string& path) const {
  auto folder = folders_.find(folder_of(path));
  if (folder == folders_.end()) return nullptr;
  auto file = folder->second.now.find(name_of(path));
  return file == folder->second.now.end() ? nullptr : file->second;
}

void SimFiles::lose_power() {
  std::lock_guard lock(mutex_);
  std::erase_if(folders_, [&](const auto& f) { return f.first != "." && !synced_folders_.contains(f.first); });
  for (auto& [name, folder] : folders_) {
    folder.now = folder.synced;
    for (auto& [file, content] : folder.now) *content = {content->synced, content->synced, content->synced.size(), {}};
  }
}

FileResult<std::string> SimFiles::read_all(const std::string& path, uint64_t limit) {
  std::lock_guard lock(mutex_);
  auto content = find(path);
  if (!content) return error_of("open", path, folders_.contains(path) ? EISDIR : ENOENT);
  if (content->now.size() > limit) return error_of("read", path, EFBIG);
  return content->now;
}

FileResult<void> SimFiles::write_atomic(const std::string& path, Bytes content, unsigned mode) {
  std::lock_guard lock(mutex_);
  std::string temporary = path + ".tmp";
  auto file = open_append(temporary, mode);
  if (!file) return std::unexpected(file.error());
  auto fail = [&](FileError why) {
    if (Names* names = names_of(temporary)) names->erase(name_of(temporary));
    return std::unexpected(std::move(why));
  };
  if (auto cut = (*file)->truncate(0); !cut) return fail(cut.error());
  while (!content.empty()) {
    auto taken = (*file)->append(content);
    if (!taken) return fail(taken.error());
    content.remove_prefix(*taken);
  }
  if (auto synced = (*file)->sync(); !synced) return fail(synced.error());
  if (auto renamed = rename(temporary, path); !renamed) return fail(renamed.error());
  return sync_folder(folder_of(path));
}

FileResult<std::unique_ptr<AppendFile>> SimFiles::open_append(const std::string& path, unsigned) {
  std::lock_guard lock(mutex_);
  Names* names = names_of(path);
  if (!names) return error_of("open", path, ENOENT);
  if (folders_.contains(path)) return error_of("open", path, EISDIR);
  auto& content = (*names)[name_of(path)];
  if (!content) {
    if (step_fails()) return names->erase(name_of(path)), error("open", path);
    content = std::make_shared<Content>();
  }
  return std::make_unique<Appending>(*this, content, path);
}

FileResult<std::unique_ptr<AppendFile>> SimFiles::open_empty(const std::string& path, unsigned mode) {
  std::lock_guard lock(mutex_);
  if (auto removed = remove(path); !removed) return std::unexpected(removed.error());
  return open_append(path, mode);
}

FileResult<std::unique_ptr<ReadFile>> SimFiles::open_read(const std::string& path) {
  std::lock_guard lock(mutex_);
  auto content = find(path);
  if (!content) return error_of("open", path, folders_.contains(path) ? EISDIR : ENOENT);
  return std::make_unique<Reading>(content);
}

bool SimFiles::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return find(path) || folders_.contains(path);
}

FileResult<uint64_t> SimFiles::size(const std::string& path) {
  std::lock_guard lock(mutex_);
  auto content = find(path);
  if (!content) return error_of("stat", path, ENOENT);
  return content->now.size();
}

FileResult<void> SimFiles::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (step_fails()) return error("remove", path);
  if (Names* names = names_of(path)) names->erase(name_of(path));
  return {};
}

FileResult<void> SimFiles::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (step_fails()) return error("rename to", to);
  auto content = find(from);
  Names* names = names_of(to);
  if (!content || !names) return error_of("rename to", to, ENOENT);
  names_of(from)->erase(name_of(from));
  (*names)[name_of(to)] = content;
  return {};
}

FileResult<std::vector<std::string>> SimFiles::list(const std::string& folder) {
  std::lock_guard lock(mutex_);
  auto found = folders_.find(folder);
  if (found == folders_.end()) return error_of("open", folder, ENOENT);
  std::vector<std::string> names;
  for (const auto& [name, content] : found->second.now) names.push_back(name);
  return names;
}

FileResult<void> SimFiles::make_folder(const std::string& path, unsigned) {
  std::lock_guard lock(mutex_);
  if (folders_.contains(path)) return {};
  if (find(path)) return error_of("create", path, ENOTDIR);
  if (step_fails()) return error("create", path);
  folders_[path];
  return {};
}

FileResult<void> SimFiles::sync_folder(const std::string& folder) {
  std::lock_guard lock(mutex_);
  auto found = folders_.find(folder);
  if (found == folders_.end()) return error_of("open", folder, ENOENT);
  if (step_fails()) return error("fsync", folder);
  found->second.synced = found->second.now;
  if (folder != ".") return {};
  for (const auto& [name, each] : folders_) synced_folders_[name];
  return {};
}

}  // namespace vitrine

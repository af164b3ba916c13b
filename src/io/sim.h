// SimFiles: a disk in memory, for tests. It fails where it is told to, and forgets what was not synced.
//
// Each write, sync, cut, creation, renaming, removal and sync of a folder is a step. lose_power() gives every file the
// bytes that were synced last, and every folder the names that it had when it was synced last. When a sync fails, what
// it should have brought to the disk never gets there, as on Linux: later syncs leave zeros in its place. Paths are
// FOLDER/NAME or NAME; the folder "." is always there. Any thread may use it; a file that is read must not be written
// meanwhile.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "io/file.h"

namespace vitrine {

class SimFiles final : public Files {
 public:
  struct Fault {
    int at = -1;             // the step that fails, counted from 0; -1: none
    int code = 5;            // errno
    bool half = false;       // if it is a write: half of it is taken, and the next write fails
    bool from_then_on = false;
    int end_after = 0;       // so many steps later everything fails: the machine has ended; 0: never
  };

  // Steps are counted anew.
  void plan(Fault fault) {
    std::lock_guard lock(mutex_);
    fault_ = fault, steps_ = 0, half_taken_ = false;
  }
  int steps() const { return steps_; }
  void lose_power();

  FileResult<std::string> read_all(const std::string& path, uint64_t limit = kNoLimit) override;
  FileResult<void> write_atomic(const std::string& path, Bytes content, unsigned mode = 0644) override;
  FileResult<std::unique_ptr<AppendFile>> open_append(const std::string& path, unsigned mode = 0644) override;
  FileResult<std::unique_ptr<AppendFile>> open_empty(const std::string& path, unsigned mode = 0644) override;
  FileResult<std::unique_ptr<ReadFile>> open_read(const std::string& path) override;
  bool exists(const std::string& path) override;
  FileResult<uint64_t> size(const std::string& path) override;
  FileResult<void> remove(const std::string& path) override;
  FileResult<void> rename(const std::string& from, const std::string& to) override;
  std::string absolute(const std::string& path) override { return path; }   // there is one working folder
  FileResult<std::vector<std::string>> list(const std::string& folder) override;
  FileResult<void> make_folder(const std::string& path, unsigned mode = 0755) override;
  FileResult<void> sync_folder(const std::string& folder) override;
  FileResult<std::unique_ptr<FolderLock>> lock_folder(const std::string&) override {
    return std::make_unique<FolderLock>();   // there is one process only
  }

 private:
  struct Content {
    std::string now, synced;
    size_t clean = 0;                                 // as far as no sync has anything to do
    std::vector<std::pair<size_t, size_t>> dropped;   // [begin, end) of what never gets to the disk

    void sync();
    void fail_sync();
    void truncate(size_t bytes);
  };
  using Names = std::map<std::string, std::shared_ptr<Content>>;
  struct Folder {
    Names now, synced;
  };
  class Appending;
  class Reading;

  bool step_fails();
  std::unexpected<FileError> error(const char* step, const std::string& path) const;
  std::shared_ptr<Content> find(const std::string& path) const;
  // Where the name stands; null when there is no such folder.
  Names* names_of(const std::string& path);

  std::recursive_mutex mutex_;
  std::map<std::string, Folder> folders_ = {{".", {}}};
  std::map<std::string, Folder> synced_folders_;   // names only; those that "." held when it was synced
  Fault fault_;
  int steps_ = 0;
  bool half_taken_ = false;
};

}  // namespace vitrine

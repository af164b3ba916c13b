// Files: the few words that configuration, pidfile, logs and persistence need of the disk, as an interface, so that a
// simulated disk with faults (short writes, no space, lost unsynced data) can stand in for the real one.
//
// What is durable: bytes of an AppendFile after sync(); a name (created, renamed, removed) after sync_folder() of its
// folder; write_atomic() does both. Errors carry the errno and a text with the path, ready for the log.
//
// Threads: Files may be used by any thread. An AppendFile belongs to one thread at a time, except that sync() may run
// on another thread beside append(): it covers what was appended before it began.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

struct FileError {
  int code;          // errno
  std::string text;  // "write /var/lib/x: No space left on device"
};
template <typename T>
using FileResult = std::expected<T, FileError>;

// An open file that only grows at its end (or is cut back).
class AppendFile {
 public:
  // Closes, without sync.
  virtual ~AppendFile() = default;
  // How many bytes were taken: fewer than `data` holds when the rest did not fit, and then the next append tells why.
  virtual FileResult<size_t> append(Bytes data) = 0;
  virtual FileResult<void> sync() = 0;
  // Sets what was appended on its way to the disk, and waits for nothing: a later sync() is short.
  virtual void start_sync() = 0;
  // Cuts the file to `bytes`; the next append continues there.
  virtual FileResult<void> truncate(uint64_t bytes) = 0;
  virtual uint64_t size() const = 0;
  // As the destructor, but tells of the error that the kernel kept until now.
  virtual FileResult<void> close() = 0;
};

// An open file that is read from front to back.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  // Up to `n` bytes; 0 at the end.
  virtual FileResult<size_t> read(char* to, size_t n) = 0;
  // How large it was when it was opened.
  virtual uint64_t size() const = 0;
};

// Keeps a folder to its owner for as long as it lives, at most until the process ends.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
  // Whether it is that folder's: one that was removed, and made anew by somebody, is another one.
  virtual bool is_of(const std::string&) const { return true; }
};

class Files {
 public:
  static constexpr uint64_t kNoLimit = ~uint64_t{0};

  virtual ~Files() = default;
  // The whole content; error EFBIG when it holds more than `limit` bytes.
  virtual FileResult<std::string> read_all(const std::string& path, uint64_t limit = kNoLimit) = 0;
  // All or nothing, also across a crash: a temporary file beside it, synced, takes its name. Keeps the permissions of
  // a file that is there; else `mode`. A symbolic link is followed, not replaced.
  virtual FileResult<void> write_atomic(const std::string& path, Bytes content, unsigned mode = 0644) = 0;
  // Creates the file when there is none, and continues at its end when there is. Errors as open_read's.
  virtual FileResult<std::unique_ptr<AppendFile>> open_append(const std::string& path, unsigned mode = 0644) = 0;
  // An empty one, in the place of what stands there; a symbolic link is replaced, not followed.
  virtual FileResult<std::unique_ptr<AppendFile>> open_empty(const std::string& path, unsigned mode = 0644) = 0;
  // An error for what is no plain file: EISDIR for a folder, else EINVAL; nothing waits for the other end of a pipe.
  virtual FileResult<std::unique_ptr<ReadFile>> open_read(const std::string& path) = 0;
  // False only where there is surely nothing: what cannot be looked at is there, and says why when it is opened.
  virtual bool exists(const std::string& path) = 0;
  // Of a plain file; errors as open_read's.
  virtual FileResult<uint64_t> size(const std::string& path) = 0;
  // Removing what is not there is no error.
  virtual FileResult<void> remove(const std::string& path) = 0;
  // Replaces `to` when it is there.
  virtual FileResult<void> rename(const std::string& from, const std::string& to) = 0;
  // The same place wherever the working folder will be later.
  virtual std::string absolute(const std::string& path) = 0;
  // The names in a folder, sorted, without "." and "..".
  virtual FileResult<std::vector<std::string>> list(const std::string& folder) = 0;
  // One that is there already is no error.
  virtual FileResult<void> make_folder(const std::string& path, unsigned mode = 0755) = 0;
  virtual FileResult<void> sync_folder(const std::string& folder) = 0;
  // Holds against others who ask the same, and them alone. Error EWOULDBLOCK: another has it, and the text says which
  // process. File systems without locks say yes to everybody.
  virtual FileResult<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder) = 0;
};

// The machine's own disk.
class SystemFiles : public Files {
 public:
  FileResult<std::string> read_all(const std::string& path, uint64_t limit = kNoLimit) override;
  FileResult<void> write_atomic(const std::string& path, Bytes content, unsigned mode = 0644) override;
  FileResult<std::unique_ptr<AppendFile>> open_append(const std::string& path, unsigned mode = 0644) override;
  FileResult<std::unique_ptr<AppendFile>> open_empty(const std::string& path, unsigned mode = 0644) override;
  FileResult<std::unique_ptr<ReadFile>> open_read(const std::string& path) override;
  bool exists(const std::string& path) override;
  FileResult<uint64_t> size(const std::string& path) override;
  FileResult<void> remove(const std::string& path) override;
  FileResult<void> rename(const std::string& from, const std::string& to) override;
  std::string absolute(const std::string& path) override;
  FileResult<std::vector<std::string>> list(const std::string& folder) override;
  FileResult<void> make_folder(const std::string& path, unsigned mode = 0755) override;
  FileResult<void> sync_folder(const std::string& folder) override;
  FileResult<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder) override;
};

// The folder part of a path: "." when it has none.
std::string folder_of(const std::string& path);

}  // namespace vitrine
